import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
from typer.testing import CliRunner

from eval.tools.cli import tools

from .tool_files import write_tool_files

RUN = CliRunner()
STATIC = ("--encoder", "static")  # quick to open, for what is not about encoders


def test_eval_prints_json_and_writes_rankings_of_the_last_method(tmp_path: Path) -> None:
    registry, queries = write_tool_files(tmp_path)
    out = tmp_path / "rankings.parquet"
    files = ["--registry", str(registry), "--train", str(queries), "--test", str(queries)]
    done = RUN.invoke(tools, ["eval", *files, "--method", "bm25", "--rankings", str(out), *STATIC, "--json"])
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    found = report["registries"][0]
    assert (found["tools"], found["train_queries"], found["test_queries"]) == (3, 4, 2)
    assert set(found["methods"]) == {"dense", "bm25"}
    assert report["paper_best_gain_in_recall_points"] == {"ToolBench": 27.28, "ToolBank": 30.5}
    ranked = pl.read_parquet(out)
    assert ranked.columns == ["query_id", "tool_ids", "scores"]
    assert ranked["query_id"].to_list() == ["q4", "q5"]
    assert ranked["tool_ids"][1][0] == "c"


def test_rankings_bear_the_numbers_that_their_requests_have(tmp_path: Path) -> None:
    registry, queries = write_tool_files(tmp_path)
    numbered, out = tmp_path / "numbered.parquet", tmp_path / "rankings.parquet"
    pl.read_parquet(queries).with_columns(query_id=pl.int_range(pl.len())).write_parquet(numbered)
    files = ["--registry", str(registry), "--train", str(numbered), "--test", str(numbered)]
    done = RUN.invoke(tools, ["eval", *files, "--method", "bm25", "--rankings", str(out), *STATIC])
    assert done.exit_code == 0, done.stderr
    assert pl.read_parquet(out).join(pl.read_parquet(numbered), on="query_id")["query"][0] == "will it rain"


def without_blanks(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    ("option", "place", "told"),
    [
        ("--rankings", "nowhere/out.parquet", "nowhere is no folder, so out.parquet cannot be written there"),
        ("--chart", "nowhere/out.svg", "nowhere is no folder, so out.svg cannot be written there"),
        ("--save", "queries.parquet", "that is a file; name a folder"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, option: str, place: str, told: str
) -> None:
    registry, queries = write_tool_files(tmp_path)
    files = ["--registry", str(registry), "--train", str(queries), "--test", str(queries)]
    done = RUN.invoke(tools, ["eval", *files, "--method", "bm25", option, str(tmp_path / place)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert without_blanks(told) in without_blanks(done.stderr.replace("│", " "))  # a long path is cut anywhere


def test_a_method_that_there_is_not_is_told_before_any_other_is_fitted(tmp_path: Path) -> None:
    registry, queries = write_tool_files(tmp_path)
    files = ["--registry", str(registry), "--train", str(queries), "--test", str(queries)]
    done = RUN.invoke(tools, ["eval", *files, "--method", "bm25", "--method", "psychic", *STATIC])
    assert done.exit_code == 1
    assert "no retrieval method 'psychic'" in done.stderr
    assert "toy: bm25" not in done.stderr
    assert "dense\n" not in done.stderr


def test_eval_shows_a_table_and_draws_recall_against_usage(tmp_path: Path) -> None:
    folder = tmp_path / "tools" / "toy"
    folder.mkdir(parents=True)
    write_tool_files(folder)
    chart = tmp_path / "chart.svg"
    done = RUN.invoke(tools, ["eval", "--data", str(tmp_path), "--only", "toy", "--chart", str(chart), *STATIC])
    assert done.exit_code == 0, done.stderr
    assert "toy: 3 tools, 4 train, 2 test requests" in done.stdout
    assert "best over description retrieval" in done.stdout
    assert "at best +27.28 on ToolBench and +30.5 on ToolBank" in done.stdout
    assert chart.read_text().startswith("<svg")


def test_search_ranks_a_registry_for_one_request(tmp_path: Path) -> None:
    registry, queries = write_tool_files(tmp_path)
    asked = ["search", "will there be rain", "--registry", str(registry), "--usage", str(queries), "--top-k", "1"]
    done = RUN.invoke(tools, [*asked, "--json"])
    assert done.exit_code == 0, done.stderr
    assert [row["tool_id"] for row in json.loads(done.stdout)] == ["w"]
    assert "getWeather" in RUN.invoke(tools, asked).stdout


def test_a_retriever_that_was_saved_is_searched_and_measured_again_without_its_files(tmp_path: Path) -> None:
    registry, queries = write_tool_files(tmp_path)
    folder = tmp_path / "kept"
    asked = ["search", "will there be rain", "--top-k", "1", *STATIC, "--json"]
    first = RUN.invoke(tools, [*asked, "--registry", str(registry), "--usage", str(queries), "--save", str(folder)])
    assert first.exit_code == 0, first.stderr
    again = RUN.invoke(tools, [*asked, "--load", str(folder)])
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)
    files = ["--registry", str(registry), "--train", str(queries), "--test", str(queries), *STATIC]
    kept = tmp_path / "measured"
    measured = RUN.invoke(tools, ["eval", *files, "--method", "best", "--save", str(kept), "--json"])
    assert measured.exit_code == 0, measured.stderr
    loaded = RUN.invoke(tools, ["eval", *files, "--method", "best", "--load", str(kept), "--json"])
    methods = json.loads(loaded.stdout)["registries"][0]["methods"]
    assert methods["loaded"]["metrics"] == methods["best"]["metrics"]
    other = RUN.invoke(tools, [*asked, "--load", str(tmp_path / "nowhere")])
    assert (other.exit_code, "manifest.json cannot be read" in other.stderr) == (1, True)


def test_search_needs_a_registry_or_a_folder(tmp_path: Path) -> None:
    neither = RUN.invoke(tools, ["search", "x"])
    assert (neither.exit_code, "--registry is needed" in neither.stderr) == (2, True)
    both = RUN.invoke(tools, ["search", "x", "--load", str(tmp_path), "--usage", str(tmp_path)])
    assert (both.exit_code, "leave out --load" in both.stderr) == (2, True)


def test_misuse_exits_with_2_and_failure_with_1_and_both_say_why(tmp_path: Path) -> None:
    registry, _ = write_tool_files(tmp_path)
    alone = RUN.invoke(tools, ["eval", "--registry", str(registry)])
    assert (alone.exit_code, "belong together" in alone.stderr) == (2, True)
    nowhere = RUN.invoke(tools, ["eval", "--data", str(tmp_path / "nowhere")])
    assert (nowhere.exit_code, "does not exist" in nowhere.stderr) == (1, True)
    psychic = RUN.invoke(tools, ["search", "x", "--registry", str(registry), "--method", "psychic", *STATIC])
    assert (psychic.exit_code, "no retrieval method 'psychic'" in psychic.stderr) == (1, True)


class WritingModel(BaseHTTPRequestHandler):
    """Chooses `convert_currency` for every request it makes up."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        writing = "Here are tools" in body["messages"][0]["content"]
        content = '{"tools": ["convert_currency"], "request": "x"}' if writing else "what is a dollar worth in euro"
        answer = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.loopback
def test_synthesize_asks_a_model_within_its_budget_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    registry, queries = write_tool_files(tmp_path)
    out = tmp_path / "made.jsonl"
    with ThreadingHTTPServer(("127.0.0.1", 0), WritingModel) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        files = ["--registry", str(registry), "--usage", str(queries), "--out", str(out)]
        for _ in range(2):
            done = RUN.invoke(tools, ["synthesize", *files, "--base-url", url, "--calls", "4", "--no-check"])
            assert done.exit_code == 0, done.stderr
            assert json.loads(done.stdout)["kept"] == 2
        server.shutdown()
    assert len(out.read_text().splitlines()) == 4
    refused = RUN.invoke(tools, ["synthesize", *files, "--base-url", "http://127.0.0.1:9/v1", "--no-check"])
    assert (refused.exit_code, "gave no chat completion" in refused.stderr) == (1, True)
