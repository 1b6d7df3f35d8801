"""s10: the audit of a run: what the notes give away besides what they are meant to say."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engine.config import StageConfig
from pipeline.engine.context import Context
from pipeline.engine.contract import Artifact, Input, Stage, model_artifacts
from pipeline.engine.errors import ConfigError
from pipeline.training.vision_text.audit_settings import AuditSettings

# Stages whose results can be audited, and what the audit reads of each; all are optional, one stage must be there.
AUDITED = {
    "s09": ("scan_attributes", "masked_notes", "fusion_folds", "fusion_recipe", "tokenizer",
            *(artifact.name for name in ("text_encoder", "published_encoder") for artifact in model_artifacts(name, ""))),
}  # fmt: skip


class Config(AuditSettings):
    """What is audited follows from the run: the notes where it has s09."""

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        if not set(AUDITED) & set(others):
            raise ConfigError(f"s10 audits what {' or '.join(AUDITED)} made, and this run has no such stage.",
                              f"Add a section {' or '.join(AUDITED)}, or leave s10 out.")  # fmt: skip


def _inputs(config: Config) -> tuple[Input, ...]:
    audited = (Input(name, optional=True) for names in AUDITED.values() for name in names)
    return (Input("scan_index"), Input("dataset"), *audited)


def _outputs(config: Config) -> tuple[Artifact, ...]:
    return (
        Artifact("note_audit", "note_audit.json", meaning="what the notes give away: length, presence, words left over"),
        Artifact("audit_report", "report.md", meaning="the audit for people"),
    )


def run(context: Context) -> None:
    """Probe the notes on the folds that judged the arms; write the audit and its report."""
    from pipeline.training.determinism import make_deterministic
    from pipeline.training.vision_text.audit import audit_notes
    from pipeline.training.vision_text.reports.note_audit_summary import note_audit_summary

    make_deterministic(context.seed)
    audit = audit_notes(context, context.config)
    context.save_json("note_audit", audit)
    context.save_bytes("audit_report", note_audit_summary(audit, context.load_json("fusion_recipe")["class_names"]).encode())


STAGE = Stage("s10_audit", "audit: what the notes of vision and text give away", Config, _inputs, _outputs, run)
