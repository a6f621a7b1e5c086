"""Predictions of real models, asked for one by one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from asking import asked
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from batchmill.batchers.predict import PredictBatcher, SklearnAsyncBatcher, SklearnBatcher
from batchmill.flow.batcher import WrongResults

ROWS, KINDS = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def model():
    return LogisticRegression(max_iter=1_000).fit(ROWS, KINDS)


def test_every_caller_gets_the_prediction_for_its_own_row(model):
    batcher = SklearnBatcher(model)

    kinds = asked(batcher, list(ROWS))

    assert kinds == list(model.predict(ROWS))
    assert batcher.stats().calls == 1


def test_rows_may_be_plain_lists_and_the_model_a_keyword_as_in_async_batcher(model):
    kinds = asked(SklearnAsyncBatcher(model=model, max_batch_size=50), ROWS.tolist())

    assert kinds == list(model.predict(ROWS))


def test_another_method_gives_a_row_for_a_row(model):
    shares = asked(SklearnBatcher(model, method="predict_proba"), list(ROWS[:10]))

    np.testing.assert_allclose(shares, model.predict_proba(ROWS[:10]))


def test_a_row_that_does_not_fit_fails_alone(model):
    rows = [ROWS[0], ROWS[1][:3], ROWS[2], [1, 2, 3, float("nan")], ["a", "b", "c", "d"], ROWS[149]]

    kinds = asked(SklearnBatcher(model), rows)

    assert [isinstance(kind, ValueError) for kind in kinds] == [
        False, True, False, True, True, False,
    ]  # fmt: skip
    assert [kinds[0], kinds[2], kinds[5]] == list(model.predict(ROWS[[0, 2, 149]]))


def test_texts_are_stacked_as_a_list():
    texts, moods = ["good day", "fine day", "bad night", "awful night"], [1, 1, 0, 0]
    mood = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, moods)

    assert asked(SklearnBatcher(mood, stack=list), ["a fine one", "awful", "bad"]) == [1, 0, 0]


def test_any_function_of_many_rows_will_do_with_a_way_to_take_its_answer_apart():
    def scores_and_labels(rows):
        return rows.sum(axis=1), rows.argmax(axis=1)

    batcher = PredictBatcher(scores_and_labels, unstack=lambda answer: zip(*answer, strict=True))

    assert asked(batcher, [[1, 2], [4, 3], [0, 9]]) == [(3, 1), (7, 0), (9, 1)]


def test_rows_of_several_shapes_share_a_batch_with_their_like():
    shapes = []

    def means(rows):
        shapes.append(rows.shape)
        return rows.mean(axis=1)

    batcher = PredictBatcher(means, group_by=np.shape)

    assert asked(batcher, [[1, 2], [3], [3, 4], [5]]) == [1.5, 3.0, 3.5, 5.0]
    assert sorted(shapes) == [(2, 1), (2, 2)]


def test_an_answer_of_another_length_is_an_error_that_names_both():
    results = asked(PredictBatcher(lambda rows: rows[:1]), [[1.0], [2.0]])

    assert [str(result) for result in results] == [
        "process_batch got 2 items and returned 1 results"
    ] * 2
    assert isinstance(results[0], WrongResults)


def test_predictions_run_in_a_thread_of_the_executor():
    def where(rows):
        return [threading.current_thread().name] * len(rows)

    with ThreadPoolExecutor(1, thread_name_prefix="model") as executor:
        assert asked(PredictBatcher(where, executor=executor), [1]) == ["model_0"]
    assert asked(PredictBatcher(where), [1]) != [threading.current_thread().name]
