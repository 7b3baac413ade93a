"""The run folder, W&B and the scheduler; the programs of schedulers answer from a table."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from configs.clusters import SlurmCluster
from configs.compose import load_config
from configs.kubernetes import KubernetesCluster
from configs.schema import RunConfig
from launch.cli import main
from launch.doctor.run import command, disk, file_system, run_folder, scheduler, wandb


class Programs:
    """First word, or first two, -> exit code, standard output, standard error."""

    def __init__(self, answers: dict[str, tuple[int, str, str]]) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(words))
        answer = self.answers.get(" ".join(words[:2])) or self.answers[words[0]]
        return subprocess.CompletedProcess(list(words), *answer)


class Nodes(Programs):
    """Nodes that share the file system: srun cat reads the real file, once per node."""

    def __call__(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(words))
        return subprocess.CompletedProcess(list(words), 0, 2 * Path(words[-1]).read_text(), "")


def on_slurm(run_dir: Path) -> RunConfig:
    """The settings of a run on two nodes, without depending on files for SLURM."""
    config = load_config([f"run_dir={run_dir}"])
    return config.model_copy(update={"cluster": SlurmCluster(nodes=2, partition="long")})


def test_the_folder_is_written_to_and_left_as_it_was(tmp_path: Path) -> None:
    (found,) = run_folder(load_config([f"run_dir={tmp_path}/a/b"]), command)
    assert found.name == "run folder" and found.text.startswith(f"{tmp_path}: writable")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to() -> None:
    (found,) = run_folder(load_config(["run_dir=/proc/run"]), command)
    assert found.level == "problem" and found.text.startswith("/proc: ")


def test_a_disk_with_less_than_a_tenth_free() -> None:
    assert disk(Path("/d"), (100, 91, 9)).level == "warning"
    assert disk(Path("/d"), (100, 89, 11)).level == "ok"


def test_nodes_that_read_the_canary(tmp_path: Path) -> None:
    nodes = Nodes({})
    _, found = run_folder(on_slurm(tmp_path / "run"), nodes)
    assert found.level == "ok" and found.text.startswith("2 nodes read what was written here")
    (words,) = nodes.asked
    assert words[:3] == ["srun", "--partition=long", "--nodes=2"] and words[-2] == "cat"
    assert list(tmp_path.iterdir()) == []


def test_nodes_that_do_not_see_the_folder_and_nodes_that_are_busy(tmp_path: Path) -> None:
    missing = Programs({"srun": (1, "", "cat: /x/.canary-1: No such file or directory")})
    _, found = run_folder(on_slurm(tmp_path / "run"), missing)
    assert found.level == "problem"
    busy = Programs({"srun": (1, "", "srun: error: Unable to allocate resources")})
    _, found = run_folder(on_slurm(tmp_path / "run"), busy)
    assert found.level == "warning" and found.text.startswith("no nodes were free")


def test_the_innermost_mount_is_the_file_system(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /home nfs4 rw 0 0\nc /home2 xfs rw 0 0\n")
    assert file_system(Path("/home/me/run"), str(mounts)) == "nfs4"
    assert file_system(Path("/srv"), str(mounts)) == "ext4"


def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    gone = Programs({"sbatch": (127, "", "there is no sbatch here")})
    found = scheduler(on_slurm(tmp_path), gone)
    assert (found.level, found.text) == ("problem", "there is no sbatch here")


def test_rights_and_the_claim_in_a_namespace(tmp_path: Path) -> None:
    config = load_config([f"run_dir={tmp_path}"])
    cluster = KubernetesCluster(image="r1:1", runs_claim="runs", namespace="team")
    config = config.model_copy(update={"cluster": cluster})
    kubectl = Programs({"kubectl": (0, "yes\n", "")})
    assert scheduler(config, kubectl).level == "ok"
    assert kubectl.asked[0][1:] == ["--namespace=team", "auth", "can-i", "create", "rayjobs.ray.io"]
    assert kubectl.asked[-1][2:] == ["get", "pvc", "runs"]
    found = scheduler(config, Programs({"kubectl": (1, "no\n", "")}))
    assert found.level == "problem"
    assert found.text == "kubectl auth can-i create rayjobs.ray.io: no"


def test_a_missing_program_is_a_failed_one() -> None:
    done = command(["no-such-program-here"])
    assert (done.returncode, done.stderr) == (127, "there is no no-such-program-here here")


def test_wandb_names_the_source_of_the_key_and_never_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = load_config(["tracking.wandb=true"])
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert wandb(config).level == "warning"
    (tmp_path / "netrc").write_text("machine example.org login a password hidden\n")
    assert wandb(config).level == "warning"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password hidden\n")
    assert wandb(config).level == "ok" and "netrc" in wandb(config).text
    monkeypatch.setenv("WANDB_API_KEY", "hidden")
    assert "WANDB_API_KEY" in wandb(config).text and "hidden" not in wandb(config).text
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb(config).text.startswith("offline, by WANDB_MODE=offline")
    monkeypatch.setenv("WANDB_MODE", "of")
    assert wandb(config).level == "problem"
    assert wandb(config).text.startswith("WANDB_MODE=of: must be one of online, offline")
    assert wandb(load_config([])).text.startswith("off")


def test_the_command_on_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["check", "--json", f"run_dir={tmp_path}/run"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = ["python", "packages", "devices", "shared memory", "limits", "port", "network"]
    assert [each["name"] for each in found] == [*names, "run folder", "W&B", "sandbox", "scheduler"]
    assert all(each["remedy"] for each in found if each["level"] != "ok")
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["check", "run_dir=/proc/run"]) == 1
    output = capsys.readouterr().out
    assert "problem   run folder     /proc: " in output
    assert "-> choose a run_dir that you may write to" in output
    assert main(["check", "r1", f"run_dir={tmp_path}/r1"]) == 0
    assert f"{tmp_path}: writable" in capsys.readouterr().out
