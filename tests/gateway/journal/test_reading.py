"""What learns from the journal reads it by tenant."""

from pathlib import Path

from gateway.journal import JournalReader, SqliteJournal


def test_another_tenants_word_about_an_answer_counts_for_nothing(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3")
    journal.write("decision", {"decision_id": "d1", "tenant": "acme"})
    journal.write("decision", {"decision_id": "d2", "tenant": None})
    for decision, tenant, value in (("d1", "acme", 1.0), ("d1", "rival", 0.0), ("d1", None, 0.1), ("d2", None, 0.5)):
        said = {"decision_id": decision, "metric": "quality", "value": value, "idempotency_key": f"{decision}{value}"}
        journal.write("feedback", said if tenant is None else {**said, "tenant": tenant})
    journal.close_now()
    with JournalReader(tmp_path / "journal.sqlite3") as reader:
        counted = {call.decision["decision_id"]: [said["value"] for said in call.feedback] for call in reader.calls()}
    assert counted == {"d1": [1.0], "d2": [0.5]}
