"""Manifests: valid by the schemas of two versions of Kubernetes, and safe by rules that each catch a seeded fault."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy

import kubernetes_validate
import pytest
import yaml

from tests.ops.kubernetes import BODY_SIZE, FOLDER, OVERLAYS, Manifest, built, containers, faults, name, pod
from tests.workers import BEAT, WORKER

VERSIONS = ("1.30", "1.37")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid_to_the_last_field(overlay: str, version: str) -> None:
    manifests = built(overlay)
    assert len(manifests) >= 7
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_is_misspelt_is_found() -> None:
    [web] = [each for each in built("ha") if each["kind"] == "Deployment" and name(each) == "web"]
    pod(web)["terminationGracePeriod"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(web, VERSIONS[0], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_judged_here_is_what_kustomize_builds(overlay: str) -> None:
    # Where there is neither program the builder of the tests stands for them: it refuses what it does not know.
    programs = [command for command in (["kubectl", "kustomize"], ["kustomize", "build"]) if shutil.which(command[0])]
    for command in programs:
        done = subprocess.run([*command, FOLDER / overlay], capture_output=True, text=True, check=True)
        theirs = {(each["kind"], name(each)): each for each in yaml.safe_load_all(done.stdout)}
        assert theirs == {(each["kind"], name(each)): each for each in built(overlay)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_manifest_breaks_a_rule(overlay: str) -> None:
    assert faults(built(overlay)) == []


def replicas(workload: Manifest) -> None:
    workload["spec"]["replicas"] = 2


def liveness(workload: Manifest) -> None:
    pod(workload)["containers"][0]["livenessProbe"]["httpGet"]["path"] = "/health/"


def host(workload: Manifest) -> None:
    del pod(workload)["containers"][0]["readinessProbe"]["httpGet"]["httpHeaders"]


def limits(workload: Manifest) -> None:
    del containers(workload)[0]["resources"]["limits"]["memory"]


def root(workload: Manifest) -> None:
    pod(workload)["securityContext"]["runAsUser"] = 0


def writable(workload: Manifest) -> None:
    pod(workload)["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False


def secret(workload: Manifest) -> None:
    pod(workload)["containers"][0].setdefault("env", []).append({"name": "SECRET_KEY", "value": "x"})


def rolling(workload: Manifest) -> None:
    workload["spec"]["strategy"] = {"type": "RollingUpdate"}


def recording(workload: Manifest) -> None:
    del pod(workload)["containers"][0]["env"]


def deployed(workload: Manifest) -> None:
    workload["kind"] = "Deployment"


def latest(workload: Manifest) -> None:
    pod(workload)["containers"][0]["image"] = "registry.example/velox:latest"


def silent(workload: Manifest) -> None:
    del pod(workload)["containers"][0]["livenessProbe"]


SEEDED: list[tuple[str, Callable[[Manifest], None], str]] = [
    ("recorder", replicas, "it is there more than once"),
    ("recorder", deployed, "a new one may begin before the old one has ended"),
    ("beat", replicas, "it is there more than once"),
    ("beat", rolling, "two may be there while one replaces the other"),
    ("beat", silent, "nobody asks whether it lives"),
    ("web", liveness, "livenessProbe asks /health/"),
    ("web", host, "readinessProbe asks by an address that the desk does not answer to"),
    ("web", limits, "it has no limits"),
    ("web", root, "it may run as root"),
    ("web", writable, "its root can be written, or it can get more rights"),
    ("web", secret, "SECRET_KEY is no file"),
    ("web", recording, "what it records goes with the pod"),
    ("web", latest, "its image is not pinned"),
]


@pytest.mark.parametrize(
    ("workload", "seed", "fault"), SEEDED, ids=[f"{workload} {seed.__name__}" for workload, seed, _ in SEEDED]
)
def test_each_rule_finds_what_breaks_it(workload: str, seed: Callable[[Manifest], None], fault: str) -> None:
    manifests = deepcopy(built("ha"))
    [bad] = [each for each in manifests if pod(each) and name(each) == workload]
    seed(bad)
    assert faults(manifests) == [f"{workload}: {fault}"]


@pytest.mark.parametrize(("overlay", "ingress"), [("one-node", "desk"), ("ha", "velox")])
def test_an_ingress_that_lets_less_through_than_the_desk_takes_is_found(overlay: str, ingress: str) -> None:
    manifests = built(overlay)
    [front] = [each for each in manifests if each["kind"] == "Ingress"]
    del front["metadata"]["annotations"][BODY_SIZE]
    assert faults(manifests) == [f"{ingress}: files and points that the desk takes are refused in front of it"]


def test_an_open_network_is_found() -> None:
    assert faults([each for each in built("ha") if name(each) != "closed"]) == ["nothing closes the network"]


def test_a_secret_among_the_settings_is_found() -> None:
    manifests = built("ha")
    [settings] = [each for each in manifests if each["kind"] == "ConfigMap"]
    settings["data"]["DATABASE_URL"] = "postgres://velox:secret@postgres/velox"
    assert faults(manifests) == ["DATABASE_URL is no file"]


def test_no_secret_is_written_down() -> None:
    assert not [each for overlay in OVERLAYS for each in built(overlay) if each["kind"] == "Secret"]


def test_worker_and_schedule_are_started_as_the_tests_start_them() -> None:
    workloads = {name(each): each for each in built("ha") if pod(each)}
    for word, command in (("worker", WORKER), ("beat", BEAT)):
        assert pod(workloads[word])["containers"][0]["command"] == ["celery", "-A", "velox_site", *command]
        claims = [volume.get("persistentVolumeClaim") for volume in pod(workloads[word])["volumes"]]
        assert {"claimName": "data-recorder-0"} in claims  # the spool is files
