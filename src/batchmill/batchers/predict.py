"""Predictions of a model: single rows in, one call of `predict` with all of them out.

predict = SklearnBatcher(model)                                  # or method="predict_proba"
predict = PredictBatcher(keras_model.predict_on_batch)
predict = PredictBatcher(lambda rows: session.run(None, {"input": rows})[0])         # ONNX
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingDependency
from ..flow.batcher import AsyncBatcher

try:
    import numpy
except ImportError:
    raise MissingDependency("NumPy", "a batcher of predictions", "sklearn") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Unpack

    from ..flow.batcher import BatcherOptions


class PredictBatcher(AsyncBatcher[Any, Any]):
    """`process(row)` gives the prediction for the row; `predict` gets many rows stacked.

    `stack` makes of a list of rows what `predict` takes, by default an array of one more dimension;
    `list` for texts, `pandas.DataFrame` for rows that are dicts. `unstack` makes of its answer a
    list with one result for each row, by default the parts along the first dimension.

    A row that `predict` refuses, or that does not fit the others, fails alone: the batch is called
    again in halves. Rows of several shapes, all of them good, want `group_by=numpy.shape`.
    Runs in a thread, or in `executor`; while it does, the next batch fills.
    """

    def __init__(
        self,
        predict: Callable[[Any], Any],
        *,
        stack: Callable[[list[Any]], Any] = numpy.asarray,
        unstack: Callable[[Any], Iterable[Any]] = list,
        **options: Unpack[BatcherOptions[Any]],
    ) -> None:
        super().__init__(**options)
        self._predict = predict
        self._stack = stack
        self._unstack = unstack

    def process_batch(self, batch: list[Any]) -> Sequence[Any]:
        """Stack, predict, unstack."""
        return list(self._unstack(self._predict(self._stack(batch))))


class SklearnBatcher(PredictBatcher):
    """A PredictBatcher for an estimator of scikit-learn: its `predict`, or another `method`
    ("predict_proba", "decision_function", "transform")."""

    def __init__(
        self,
        model: Any,
        *,
        method: str = "predict",
        stack: Callable[[list[Any]], Any] = numpy.asarray,
        unstack: Callable[[Any], Iterable[Any]] = list,
        **options: Unpack[BatcherOptions[Any]],
    ) -> None:
        super().__init__(getattr(model, method), stack=stack, unstack=unstack, **options)
        self.model = model


SklearnAsyncBatcher = SklearnBatcher
"""Its name in async-batcher."""
