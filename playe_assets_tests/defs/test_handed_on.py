"""What a stage hands on names its own log lines and manifests, and a delivery is kept as it came."""

from __future__ import annotations

from playe_assets_tests.laboratory import examine, failures, write_case


def materializations(result):
    return {
        e.asset_key.to_user_string(): e.step_materialization_data.materialization
        for e in result.get_asset_materialization_events()
    }


def test_the_log_lines_that_a_materialization_names_are_its_own(examined):
    all_lines = {line["seq"]: line for line in examined.laboratory.log()}
    lines = {seq: line for seq, line in all_lines.items() if line["event"] != "log.checkpoint"}
    for name, made in materializations(examined.result).items():
        first, last = made.metadata["log_first_seq"].value, made.metadata["log_last_seq"].value
        assert first <= last
        assert {lines[n]["activity"]["asset_key"] for n in range(first, last + 1) if n in lines} == {name}


def test_check_results_name_the_manifest_that_they_judged(examined):
    made = materializations(examined.result)
    for check in examined.result.get_asset_check_evaluations():
        asset = check.asset_key.to_user_string()
        assert check.metadata["manifest_sha256"].value == made[asset].tags["dagster/data_version"]
        assert check.metadata["judged"].value >= 1


def test_a_delivery_from_the_inbox_is_moved_out_and_kept_as_it_came(laboratory, instance):
    folder = write_case(laboratory.settings.inbox / "KEEP-1", "KEEP-1")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    taken = examine(instance, "KEEP-1", None, select=["ingested_media"],
                    tags={"playe/delivery": str(folder), "playe/operator": "Inbox Operator"})  # fmt: skip
    assert taken.success, failures(taken)
    assert not folder.exists()
    [note] = laboratory.case("KEEP-1").read().deliveries
    kept = laboratory.settings.data_root / note.kept_in
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == before
