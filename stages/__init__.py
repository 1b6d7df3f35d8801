"""The numbered stages, in the one order that there is."""

from pipeline.engine.contract import Stage
from stages.s01_preprocessing import STAGE as S01
from stages.s02_embeddings import STAGE as S02
from stages.s03_task_features import STAGE as S03
from stages.s04_shared_features import STAGE as S04
from stages.s05_classifier_head import STAGE as S05
from stages.s06_significance import STAGE as S06
from stages.s07_segmenter import STAGE as S07
from stages.s08_classifier import STAGE as S08
from stages.s09_vision_text import STAGE as S09
from stages.s10_audit import STAGE as S10

STAGES: tuple[Stage, ...] = (S01, S02, S03, S04, S05, S06, S07, S08, S09, S10)
