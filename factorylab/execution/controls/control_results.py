"""What came of runs of controls, and the record of it: a folder that version control can hold.

A record is only ever added to: what was inconclusive stays in it beside what came out as declared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from factorylab.audit.model.findings import Outcome
from factorylab.core.errors import UsageError
from factorylab.history.manifest import Manifest
from factorylab.scenarios.controls import ControlName

Sort = Literal["as declared", "inconclusive", "otherwise"]
SORTS: tuple[Sort, ...] = ("as declared", "inconclusive", "otherwise")
RESULTS, MANIFESTS = "verdicts.json", "manifests.json"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a control. `error` says why it could not be carried out: then there is no verdict."""

    control: ControlName
    repaired: bool
    expected: list[str]
    finished_utc: str
    run_id: str = ""
    commit: str = ""
    verdict: Outcome | None = None
    fired: list[str] = []
    invalid: list[str] = []  # those of `fired` that say that the evidence is bad
    met: bool = False
    evidence_count: int = 0
    evidence: str = ""
    offered: int = 0
    seed: int = 1
    error: str = ""

    @property
    def sort(self) -> Sort:
        """As declared: the verdict is the expected one, and the run shows what the control is about. Inconclusive: it
        was not carried out, shows nothing, or its evidence is bad and no check fired that was not declared."""
        if self.met and self.evidence_count:
            return "as declared"
        undeclared = set(self.fired) - set(self.invalid) - set(self.expected)
        void = self.verdict is None or bool(self.invalid)
        return "inconclusive" if self.met or (void and not undeclared) else "otherwise"

    @property
    def reported(self) -> str:
        """The verdict with the checks that fired."""
        return f"{self.verdict or 'not carried out'} {', '.join(self.fired)}".strip()


class Campaign(msgspec.Struct, frozen=True):
    """Results, and by the variant ("P1", "P1 repaired") the manifest of one run of it: versions, host, effective
    configuration."""

    results: list[Result]
    manifests: dict[str, Manifest] = {}

    def plus(self, more: Campaign) -> Campaign:
        """All results, in order; where both have a manifest, the first."""
        return Campaign([*self.results, *more.results], more.manifests | self.manifests)


class _Kept(msgspec.Struct):
    """Manifests as a file holds them: configurations of brokers, which are long and seldom differ, stand once."""

    broker_configs: list[dict[str, str]]
    config_of: dict[str, int]
    manifests: dict[str, Manifest]

    @classmethod
    def of(cls, manifests: dict[str, Manifest]) -> _Kept:
        configs: list[dict[str, str]] = []
        for manifest in manifests.values():
            if manifest.broker_config not in configs:
                configs.append(manifest.broker_config)
        config_of = {variant: configs.index(manifest.broker_config) for variant, manifest in manifests.items()}
        short = {variant: replace(manifest, broker_config={}) for variant, manifest in manifests.items()}
        return cls(configs, config_of, short)

    def whole(self) -> dict[str, Manifest]:
        return {
            variant: replace(manifest, broker_config=self.broker_configs[self.config_of[variant]])
            for variant, manifest in self.manifests.items()
        }


def record(campaign: Campaign, folder: Path) -> Campaign:
    """Add results to those in a folder; all that is there now."""
    folder.mkdir(parents=True, exist_ok=True)
    before = recall(folder) if (folder / RESULTS).exists() else Campaign([])
    whole = before.plus(campaign)
    (folder / RESULTS).write_bytes(msgspec.json.format(msgspec.json.encode(whole.results)) + b"\n")
    (folder / MANIFESTS).write_bytes(msgspec.json.format(msgspec.json.encode(_Kept.of(whole.manifests))) + b"\n")
    return whole


def recall(folder: Path) -> Campaign:
    """What was recorded in a folder.

    Raises:
        UsageError: nothing was.
    """
    try:
        results = msgspec.json.decode((folder / RESULTS).read_bytes(), type=list[Result])
        manifests = msgspec.json.decode((folder / MANIFESTS).read_bytes(), type=_Kept).whole()
    except (OSError, msgspec.DecodeError, LookupError) as error:
        raise UsageError(f"{folder} holds no record of controls: {error}") from None
    return Campaign(results, manifests)
