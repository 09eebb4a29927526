"""Manifests of ops/kubernetes as kustomize builds them, and the rules of this desk that no schema knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from velox_site.settings import REQUEST_BYTES_MAX

FOLDER = Path(__file__).parents[2] / "ops" / "kubernetes"
OVERLAYS = ("one-node", "ha")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SECRET = re.compile("KEY|TOKEN|PASSWORD|SECRET|DATABASE_URL|CACHE_URL|BROKER_URL")
CLUSTER_WIDE = ("Namespace",)
BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"

Manifest = dict[str, Any]


def built(overlay: str) -> list[Manifest]:
    """Return what an overlay applies. Of kustomize's language `resources`, `namespace` and `images` are known here."""
    return _built(FOLDER / overlay)


def _built(folder: Path) -> list[Manifest]:
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text())
    known = {"apiVersion", "kind", "resources", "namespace", "images"}
    assert set(plan) <= known, f"{folder.name} wants more of kustomize than is built here: {set(plan) - known}"
    manifests: list[Manifest] = []
    for name in plan["resources"]:
        path = folder / name
        manifests += _built(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    for manifest in manifests:
        if "namespace" in plan and manifest["kind"] not in CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = plan["namespace"]
        for container in containers(manifest):
            for image in plan.get("images", ()):
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return manifests


def pod(manifest: Manifest) -> Manifest:
    """Return the pod of a workload, {} of what is none."""
    found: Manifest = (manifest.get("spec") or {}).get("template", {}).get("spec", {})
    return found


def containers(manifest: Manifest) -> list[Manifest]:
    """Return all containers of a workload, those that prepare it as well."""
    return [*pod(manifest).get("initContainers", ()), *pod(manifest).get("containers", ())]


def faults(manifests: Sequence[Manifest]) -> list[str]:
    """Return what breaks a rule of this desk, each with the name of the workload."""
    found = [f"{name(each)}: {fault}" for each in manifests if pod(each) for fault in _faults_of(each)]
    for settings in (each["data"] for each in manifests if each["kind"] == "ConfigMap"):
        found += [f"{variable} is no file" for variable in settings if _is_secret(variable)]
    for ingress in (each for each in manifests if each["kind"] == "Ingress"):
        if ingress["metadata"].get("annotations", {}).get(BODY_SIZE) != f"{REQUEST_BYTES_MAX >> 20}m":
            found.append(f"{name(ingress)}: files and points that the desk takes are refused in front of it")
    if not any(each["kind"] == "NetworkPolicy" and each["spec"]["podSelector"] == {} for each in manifests):
        found.append("nothing closes the network")
    return found


def name(manifest: Manifest) -> str:
    text: str = manifest["metadata"]["name"]
    return text


def _is_secret(variable: str) -> bool:
    """Tell whether a variable holds a secret, where it should name a file that does."""
    return SECRET.search(variable) is not None and not variable.endswith("_FILE")


def _faults_of(manifest: Manifest) -> Iterator[str]:
    own = pod(manifest)
    yield from _single(manifest)
    security = own.get("securityContext", {})
    if not security.get("runAsNonRoot") or not security.get("runAsUser"):
        yield "it may run as root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"} or own.get("automountServiceAccountToken", True):
        yield "it has more of the node or of Kubernetes than it needs"
    for container in containers(manifest):
        limits = container.get("resources", {}).get("limits", {})
        if not {"cpu", "memory"} <= set(limits):
            yield "it has no limits"
        inside = container.get("securityContext", {})
        if not inside.get("readOnlyRootFilesystem") or inside.get("allowPrivilegeEscalation", True):
            yield "its root can be written, or it can get more rights"
        if inside.get("capabilities") != {"drop": ["ALL"]}:
            yield "it keeps capabilities"
        if not re.fullmatch(r".+:(?!latest$)[\w.-]+", container["image"]):
            yield "its image is not pinned"
        for variable in container.get("env", ()):
            if _is_secret(variable["name"]):
                yield f"{variable['name']} is no file"
    if manifest["kind"] != "Job":
        yield from (fault for container in own["containers"] for fault in _probe_faults(container))


def _single(manifest: Manifest) -> Iterator[str]:
    """Yield where what has one writer could be there twice."""
    spec, labels = manifest["spec"], manifest["spec"]["template"]["metadata"]["labels"]
    if (labels.get("holds") == "spool" or labels["app"] == "beat") and spec.get("replicas") != 1:
        yield "it is there more than once"
    if labels.get("holds") == "spool" and manifest["kind"] != "StatefulSet":
        yield "a new one may begin before the old one has ended"
    if labels["app"] == "beat" and spec.get("strategy") != {"type": "Recreate"}:
        yield "two may be there while one replaces the other"
    volumes = {volume["name"] for volume in pod(manifest).get("volumes", ()) if "emptyDir" in volume}
    is_elsewhere = any(
        variable == {"name": "VELOX_RECORDER_ELSEWHERE", "value": "on"}
        for container in containers(manifest)
        for variable in container.get("env", ())
    )
    data = {mount["name"] for container in pod(manifest)["containers"] for mount in container["volumeMounts"]
            if mount["mountPath"] == "/data"}  # fmt: skip
    if data & volumes and manifest["kind"] != "Job" and not is_elsewhere:
        yield "what it records goes with the pod"


def _probe_faults(container: Manifest) -> Iterator[str]:
    live = container.get("livenessProbe", {})
    if "startupProbe" not in container or not live:
        yield "nobody asks whether it lives"
    for probe in PROBES:
        asked = container.get(probe, {}).get("httpGet")
        if asked is None:
            continue
        wanted = "/health/live" if probe == "livenessProbe" else "/health/"
        if asked["path"] != wanted:
            yield f"{probe} asks {asked['path']}"
        if {"name": "Host", "value": "localhost"} not in asked.get("httpHeaders", ()):
            yield f"{probe} asks by an address that the desk does not answer to"
    if container.get("ports") and "readinessProbe" not in container:
        yield "it is asked before it is ready"
