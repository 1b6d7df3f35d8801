"""openapi.json: what the service can be asked, as its code has it. Needs the extra `serve`."""

from __future__ import annotations

import json


def interface_document() -> str:
    """The OpenAPI document. Raises MissingPackageError without the extra."""
    from pipeline.engine.extras import require

    require("fastapi")
    from pipeline.service.application import make_application
    from pipeline.service.settings import ServiceSettings

    return json.dumps(make_application(ServiceSettings()).openapi(), indent=1, ensure_ascii=False) + "\n"
