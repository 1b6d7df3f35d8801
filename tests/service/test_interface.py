"""The OpenAPI document against the service: calls made of it, fitting and not, never fail it; its answers fit the document."""

from __future__ import annotations

import pytest
from served import listening, noise

schemathesis = pytest.importorskip("schemathesis")
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ANY = list(HealthCheck)
BODIES = [noise(), noise(3), noise()[:100], b"", b"text"]
schemathesis.openapi.format("binary", st.one_of(st.sampled_from(BODIES), st.binary(max_size=64)))


ROUNDS = 6


class Calls:
    """Calls of one operation, fitting or not: as many as are asked for, or as it has inputs."""

    def __init__(self, operation, mode: GenerationMode, address: str) -> None:
        self._strategy, self._address = operation.as_strategy(generation_mode=mode), address
        self.made, self.statuses, self.has_more = 0, set(), True

    def make(self, count: int, number: int) -> None:
        """So many of the round of this number, which is their seed."""
        before = self.made

        @seed(number)
        @settings(max_examples=count, deadline=None, database=None, suppress_health_check=ANY)
        @given(case=self._strategy)
        def ask(case):
            answer = case.call_and_validate(base_url=self._address, checks=CHECKS)
            self.made += 1
            self.statuses.add(answer.status_code)

        ask()
        # an operation without fields has one call that fits, and is not asked for another
        self.has_more = self.made - before >= count


def try_all(of_service, wanted: int) -> tuple[int, set[int]]:
    """At least so many calls where the operations have as many: how many were made, and the statuses that came.

    What an operation has no inputs for is spent on the others, in further rounds.
    """
    with listening(of_service) as (address, application):
        operations = [found.ok() for found in schemathesis.openapi.from_dict(application.openapi()).get_all_operations()]
        # a call without fields has no wrong form
        kinds = [Calls(operation, mode, address) for operation in operations for mode in GenerationMode
                 if mode is GenerationMode.POSITIVE or operation.method == "post"]  # fmt: skip
        for number in range(ROUNDS):
            missing, live = wanted - sum(kind.made for kind in kinds), [kind for kind in kinds if kind.has_more]
            if missing <= 0 or not live:
                break
            for kind in live:
                kind.make(-(-missing // len(live)), number)
    return sum(kind.made for kind in kinds), set().union(*(kind.statuses for kind in kinds))


def test_calls_that_the_document_makes(settings):
    made, statuses = try_all(settings, 60)
    assert made >= 60 and {200, 422} <= statuses and max(statuses) < 500


@pytest.mark.slow
def test_two_thousand_calls_that_the_document_makes(settings, capsys):
    made, statuses = try_all(settings, 2000)
    with capsys.disabled():
        print(f"\n{made} calls, statuses {sorted(statuses)}")
    assert made >= 2000 and max(statuses) < 500
