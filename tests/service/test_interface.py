"""The OpenAPI document against the service: calls made of it, fitting and not, never fail it; its answers fit the document."""

from __future__ import annotations

import pytest
from served import listening, noise

schemathesis = pytest.importorskip("schemathesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
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


def try_all(of_service, examples: int) -> tuple[int, set[int]]:
    """So many calls of each kind and place; how many were made, and the statuses that came."""
    made, statuses = 0, set()
    with listening(of_service) as (address, application):
        schema = schemathesis.openapi.from_dict(application.openapi())
        for found in schema.get_all_operations():
            operation = found.ok()
            # a call without fields has no wrong form
            for mode in (GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if operation.method == "post" else [])):
                strategy = operation.as_strategy(generation_mode=mode)

                @settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=ANY)
                @given(case=strategy)
                def ask(case):
                    nonlocal made
                    answer = case.call_and_validate(base_url=address, checks=CHECKS)
                    made += 1
                    statuses.add(answer.status_code)

                ask()
    return made, statuses


def test_calls_that_the_document_makes(settings):
    made, statuses = try_all(settings, 6)
    assert made >= 50 and {200, 422} <= statuses and max(statuses) < 500


@pytest.mark.slow
def test_two_thousand_calls_that_the_document_makes(settings, capsys):
    made, statuses = try_all(settings, 180)
    with capsys.disabled():
        print(f"\n{made} calls, statuses {sorted(statuses)}")
    assert made >= 2000 and max(statuses) < 500
