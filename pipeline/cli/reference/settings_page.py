"""docs/configuration.md: how a configuration is written, and every setting of every stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.cli.run.setting_sections import SettingSection, default_words, setting_sections
from pipeline.engine.contract import Stage
from pipeline.engine.description import describe_stage

HEAD = """\
# Configuration

Written by `run_pipeline.py reference` from the settings themselves; `describe s07` prints one stage's part, and
`describe -c FILE` a configuration with every default filled in.

## A file

A configuration is YAML 1.2. At its top stand

| key | meaning |
|---|---|
| `system` | what the run is called; required |
| `description` | a sentence, for people |
| `seed` | whole number, 0 to 2147483647, default 0; every stage derives its own from it |
| `base` | another file that this one builds upon |
| `s01` … `s10` | a section for each stage that the run has; empty for all defaults |

Unknown keys are refused, and so are keys that stand twice. Anchors (`&name`, `*name`) and merge keys (`<<`) work within a file.

## base: only what differs

`base: radiography_unet.yaml` names one file, relative to the file that it stands in; that may name another. Tables are merged key
by key, to any depth; lists, numbers and texts are replaced. `null` is a value like any other. Two tags say otherwise:

```yaml
base: radiography_unet.yaml
s01:
  profiles: !override               # this table replaces the base's
    xray_256: {modality: xray, size: 256}
s07:
  gate: !reset null                 # the key is taken out: its default holds
  fit:
    epochs: 30                      # the rest of fit is the base's
```

A section that is left empty (`s03:`) changes nothing. A base may lack what only the whole must have, such as `system`; where both
name one, it must be the same. Refused, with file and line: a base that cannot be read, is absolute, is a list or leads back to a
file before it; a table laid over what is none; `!reset` of what the base does not have.

## --set: one value from the command line

`--set s07.fit.epochs=30` comes after merging; the value is read as YAML. A position in a list is a number
(`--set s01.data.selection.0.mask_column=mask_path`), and `--set 's07.gate=!reset'` takes a key out.

## Where a value comes from

`plan -c FILE` and `describe -c FILE` print the merged whole and beside each value its place: `file:line`, `--set` or `default`
(`--json`: path, value and origin of each). Faults name the file and line in which the key stands. Whether a stage is up to date
depends on the merged values alone, however many files they were written in.

## Settings

`N` stands for a position in a list, `NAME` for a name of your own.
"""


def settings_page(stages: Sequence[Stage]) -> str:
    """The page, in Markdown."""
    return HEAD + "".join(_stage(describe_stage(stage)) for stage in stages)


def _stage(description: dict[str, Any]) -> str:
    first, *inner = setting_sections(description)
    summary = description["summary"]
    heading = f"\n## {description['name'].replace('_', ' ')}\n\n{_cell(summary[:1].upper() + summary[1:])}.\n"
    return heading + _table(first) + "".join(f"\n### `{each.path}`\n\n{_cell(each.meaning)}\n{_table(each)}" for each in inner)


def _table(section: SettingSection) -> str:
    rows = [(f"`{each['key']}`", _cell(each["words"]), _default(each), _cell(each["description"])) for each in section.settings]
    lines = [("setting", "is", "default", "meaning"), ("---",) * 4, *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _default(setting: dict[str, Any]) -> str:
    words = default_words(setting)
    return words if words in ("", "required") else f"`{_cell(words)}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
