"""One pass over an exhibit's frames: every frame of a clip is surveyed, sampled ones go to the detectors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction

from playe_assets.core.contracts import Detector, Enhancer, Frame
from playe_assets.core.tracks import Shot
from playe_assets.core.values import Exhibit, FrameDetections, StreamFacts
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.clips.pace import Pace
from playe_assets.examination.clips.pipeline import Chain, overlapped
from playe_assets.examination.events import JOIN_S
from playe_assets.examination.plan import Plan, PlannedDetector
from playe_assets.examination.sampling import Sampling
from playe_assets.examination.shots import METHOD as CUT_METHOD
from playe_assets.examination.shots import REFERENCE as CUTS
from playe_assets.examination.shots import ContentScore, InShot, in_shots, shots_of
from playe_assets.examination.stage import Stage, Words
from playe_assets.examination.survey import METHOD, Surveyor
from playe_assets.examination.tracks import Traits, traits_of
from playe_assets.media.clip import read_clip
from playe_assets.media.photo import read_photo
from playe_assets.media.survey import Survey


@dataclass
class Watch:
    """One detector on one exhibit with its own sampling; `label` tells two uses of one plug-in apart."""

    label: str
    planned: PlannedDetector
    detector: Detector
    sampling: Sampling
    found: list[FrameDetections] = field(default_factory=list)
    """Of every sampled frame, those without findings too."""
    traits: list[tuple[Traits, ...]] = field(default_factory=list)
    """Of a clip: looks and quality of the same findings."""

    def look(self, frame: Frame, clip: bool) -> None:
        """Detect in `frame` and keep what was found."""
        found = tuple(self.detector.detect(frame))
        self.found.append(FrameDetections(self.label, frame.index, frame.pts if clip else None, found))
        if clip:
            self.traits.append(traits_of(frame, found))


@dataclass
class Pass:
    """What one pass over an exhibit gave."""

    watches: list[Watch]
    sampled: int = 0
    survey: Survey = field(default_factory=Survey)
    shots: tuple[Shot, ...] = ()


def watch_clip(
    stage: Stage, made: Plan, exhibit: Exhibit, facts: StreamFacts, seen: Pass, base: Fraction
) -> None:
    """One pass over the clip: every frame is surveyed, sampled ones go to the detectors that ask for them."""
    pace = Pace(stage, Words("survey.frames", exhibit=exhibit.number), facts.frame_count)
    upright = _upright(facts)  # boxes lie in the upright frame, whatever the steps do
    starts: list[int] = []
    first: int | None = None
    with closing(_surveyed(stage, made, exhibit)) as items:
        for item in items:
            row = seen.survey.append(item.looked.row)
            frame = item.looked.frame
            first = row.pts if first is None else first
            if item.starts:
                starts.append(row.frame)
            at = (row.pts - first) * base
            takers = [w for w in seen.watches if w.sampling.takes(at, row.motion_share, item.starts)]
            if takers:
                seen.sampled += 1
                shot = Shot(item.shot, starts[-1], row.frame)
                turned = replace(frame, pixels=upright.frame(frame.pixels), shot=shot)
                for watch in takers:
                    watch.look(turned, clip=True)
            pace.advance()
    pace.finish()
    seen.shots = shots_of(starts, seen.survey)


def watch_photo(stage: Stage, exhibit: Exhibit, facts: StreamFacts, seen: Pass) -> None:
    """Every detector looks at the upright picture."""
    pixels = read_photo(stage.store.path(exhibit.sha256), exhibit.facts).pixels
    turned = Frame(0, 0, _upright(facts).frame(pixels))
    seen.sampled = 1
    for watch in seen.watches:
        watch.look(turned, clip=False)


def _surveyed(stage: Stage, made: Plan, exhibit: Exhibit) -> Generator[InShot, None, None]:
    wanted = made.preset.video.shots
    change = ContentScore(wanted.threshold)
    surveyor = Surveyor(change)
    with read_clip(stage.store.path(exhibit.sha256), exhibit.facts) as reader, Chain() as chain:
        # Decoding, surveying and detecting, each in a thread of its own.
        decoded = chain.add(overlapped(iter(reader)))
        looked = chain.add(overlapped(map(surveyor.look, decoded)))
        yield from in_shots(looked, change, wanted)


def _upright(facts: StreamFacts) -> Enhancer:
    return ENHANCERS.get("orient")(None, facts)


def survey_method(made: Plan) -> dict[str, object]:
    """How every frame was measured and cuts were found."""
    shots = made.preset.video.shots
    params = {"threshold": shots.threshold, "min_frames": shots.min_frames,
              "moving_share": shots.moving_share, **CUT_METHOD, **METHOD,
              "join_s": float(JOIN_S)}  # fmt: skip
    return {"label": "shots", "name": "shots", "version": "2", "reference": CUTS, "params": params,
            "weights": {}}  # fmt: skip
