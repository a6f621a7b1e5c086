"""The hooks run around the run, whatever happens, and the session is there when asked for."""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from batchmill.errors import ConfigError, MissingDependency, TaskHookFailed
from batchmill.tasks.context import Context, running
from batchmill.tasks.task import Task


def run(use=None, *, concurrency=50, **hooks):
    """Run a task's life with `use(context)` in the middle; gives back the context."""

    async def live():
        task = Task(name="task", process=len, **hooks)
        async with running(task, concurrency) as context:
            if use is not None:
                given = use(context)
                if given is not None:
                    await given
        return context

    return asyncio.run(live())


def test_a_task_without_hooks_has_an_empty_context():
    assert run() == {}


def test_what_on_startup_returns_is_the_context_that_on_shutdown_gets():
    seen = []

    async def on_startup():
        return {"client": 1}

    async def on_shutdown(context):
        seen.append(dict(context))

    context = run(on_startup=on_startup, on_shutdown=on_shutdown)

    assert seen == [{"client": 1}]
    assert context["client"] == 1


def test_hooks_may_be_plain_and_take_the_context_or_nothing():
    seen = []

    def on_startup(context):
        context["early"] = 1

    run(on_startup=on_startup, on_shutdown=lambda: seen.append("down"))

    assert seen == ["down"]
    assert run(on_startup=on_startup) == {"early": 1}


def test_a_plain_hook_that_gives_something_to_await_is_awaited():
    async def make():
        return {"a": 1}

    assert run(on_startup=lambda: make()) == {"a": 1}


@pytest.mark.parametrize("given", [[("a", 1)], "text", 5, False])
def test_on_startup_that_returns_no_dict_fails(given):
    with pytest.raises(TaskHookFailed) as caught:
        run(on_startup=lambda: given)

    assert f"on_startup returned {type(given).__name__}" in caught.value.message
    assert caught.value.hint == "return a dict, or nothing"


@pytest.mark.parametrize("error", [ValueError("no key"), SystemExit("no key")])
def test_on_shutdown_runs_with_an_empty_context_when_on_startup_failed(error):
    seen = []

    async def on_startup():
        raise error

    with pytest.raises(TaskHookFailed) as caught:
        run(on_startup=on_startup, on_shutdown=lambda context: seen.append(dict(context)))

    assert seen == [{}]
    assert caught.value.__cause__ is error
    assert f"on_startup failed: {type(error).__name__}: no key" in str(caught.value)


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_on_shutdown_runs_when_the_run_failed_and_its_own_error_hides_nothing(error):
    def fail(context):
        raise error

    def on_shutdown():
        raise OSError("while closing")

    with pytest.raises(type(error)) as caught:
        run(fail, on_shutdown=on_shutdown)

    assert caught.value is error
    assert caught.value.__notes__ == ["then on_shutdown failed: OSError: while closing"]


def test_an_error_of_on_shutdown_alone_is_told():
    async def on_shutdown(context):
        raise OSError("while closing")

    with pytest.raises(TaskHookFailed) as caught:
        run(on_shutdown=on_shutdown)

    assert isinstance(caught.value.__cause__, OSError)
    assert "on_shutdown failed: OSError: while closing" in str(caught.value)


# context["session"]


def test_the_session_is_made_once_and_closed_after_on_shutdown():
    seen = []

    def use(context):
        seen.append(context["session"])
        seen.append(context.get("session"))

    context = run(use, on_shutdown=lambda context: seen.append(context["session"].closed))

    assert seen[0] is seen[1] is context["session"]
    assert seen[2] is False
    assert seen[0].closed


def test_the_sessions_connections_are_as_many_as_the_calls_at_a_time():
    limits = []

    run(lambda context: limits.append(context["session"].connector.limit), concurrency=321)
    run(lambda context: limits.append(context["session"].connector.limit), concurrency=0)

    assert limits == [321, 0]


def test_the_session_has_no_time_limit_for_a_request_of_its_own():
    limits = []

    run(lambda context: limits.append(context["session"].timeout))

    assert (None, 30) == (limits[0].total, limits[0].sock_connect)


def test_no_cookie_of_one_answer_is_sent_with_the_next_request():
    sent = []

    async def answer(request):
        sent.append(dict(request.cookies))
        response = web.Response()
        response.set_cookie("who", "the first record")
        return response

    async def use(context):
        async with TestServer(_app(answer)) as server:
            for _ in range(2):
                async with context["session"].get(server.make_url("/")):
                    pass

    run(use)

    assert [{}, {}] == sent


def _app(answer):
    app = web.Application()
    app.router.add_get("/", answer)
    return app


@pytest.mark.parametrize("proxy", [None, "http://proxy.example:3128"])
def test_the_session_uses_the_proxies_of_the_environment_if_there_are_any(monkeypatch, proxy):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
    trusts = []

    run(lambda context: trusts.append(context["session"].trust_env))

    assert [proxy is not None] == trusts


def test_a_session_that_nobody_asks_for_is_not_made():
    context = run(lambda context: None, on_startup=lambda: {"a": 1})

    assert list(context) == ["a"]


def test_the_session_is_there_for_on_startup():
    context = run(on_startup=lambda context: {"same": context["session"]})

    assert context["same"] is context["session"]
    assert context["session"].closed


def test_the_session_is_closed_when_on_shutdown_fails():
    def on_shutdown(context):
        raise OSError

    seen = []
    with pytest.raises(TaskHookFailed):
        run(lambda context: seen.append(context["session"]), on_shutdown=on_shutdown)

    assert seen[0].closed


def test_a_session_of_the_tasks_own_is_kept_and_left_open():
    class Session:
        closed = False

    theirs = Session()

    context = run(lambda context: None, on_startup=lambda: {"session": theirs})

    assert context["session"] is context.get("session") is theirs
    assert not theirs.closed


def test_asking_whether_there_is_a_session_makes_none():
    context = Context(5)

    assert "session" in context
    assert "other" not in context
    assert list(context) == []


def test_other_keys_are_those_of_a_dict():
    context = Context(5)
    context["a"] = 1

    assert (context.get("a"), context.get("b"), context.get("b", 2)) == (1, None, 2)
    with pytest.raises(KeyError):
        context["b"]


def test_without_aiohttp_the_session_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "batchmill.tasks.session", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = []

    def use(context):
        found.append("session" in context)
        return context["session"]

    with pytest.raises(MissingDependency) as caught:
        run(use)

    assert caught.value.message == 'context["session"] needs aiohttp'
    assert caught.value.hint == 'pip install "batchmill[http]"'
    assert found == [False]


def test_a_session_asked_for_in_a_thread_is_refused_with_the_remedy():
    with pytest.raises(ConfigError) as caught:
        run(lambda context: asyncio.to_thread(lambda: context["session"]))

    assert "is for coroutines" in caught.value.message
    assert "async def" in caught.value.hint
