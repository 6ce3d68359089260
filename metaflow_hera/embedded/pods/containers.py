"""From a container in a manifest to a process on this machine.

What a pod's process gets, and where it differs from a container:

* **Command and arguments** are the manifest's `command` and `args`, with `$(VAR)` and `$$` expanded as
  Kubernetes' kubelet does. `image` is ignored: the program is looked up in the PATH of the pod.
* **Environment** is the manifest's `env` on top of a small base taken from the server's own: PATH, HOME,
  USER, LANG, LC_ALL and LC_CTYPE; the variables that give a machine its identity and its way to the
  network (AWS_*, AZURE_*, GOOGLE_*, CLOUDSDK_CONFIG, STORAGE_EMULATOR_HOST, proxies, certificates), as a
  node of a cluster would; then TMPDIR (a folder of the pod's own, see `temporary`) and EMBEDDED_ARGO_CACHE
  (a folder that all pods of this machine share). Nothing else of the server's environment reaches a pod.
* **Paths of outputs**: a process has no root filesystem of its own, so two pods that both write their
  output to `/tmp/out` would write to the same file. Every occurrence of the `valueFrom.path` of a declared
  output parameter, in the command, the arguments and the *values* of the environment, is therefore rewritten
  to a path of the pod's own with the same ending. An occurrence is the whole path: `/tmp/out` is rewritten in
  `--to=/tmp/out` and in `echo x >/tmp/out;`, not in `/tmp/out.log`, `/tmp/outer`, `/tmp/out/x` or
  `/data/tmp/out`. A program that builds the path itself (`"/tmp/" + "out"`), or reads it from a file,
  does not get the rewritten one: pass the path in `args` or `env`.
* **The termination message**, `/dev/termination-log` unless the container names another path, is a file of
  the pod's own in the same way. Argo adds it to the message of a pod that fails.
* **A script** is a file of the pod's own, the last argument of its `command`. The same paths are rewritten
  in it.
* **Volumes**: an `emptyDir` is a folder of the pod's own, gone when the pod has ended. Its `mountPath`, and
  every path below it, is rewritten in the same places. `/dev/shm` is the machine's.
* **Start**: a program of `python -c` may ask to be forked instead of started, see `WARM`. It finds all as it
  would otherwise, but for its environment in `/proc/self/environ`.
* **Working directory** is `workingDir` where that exists on this machine, else an empty folder of the
  pod's own.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from metaflow_hera.embedded.controller.messages import RESULT, CreatePod
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.pods.files import MESSAGE_LIMIT, remove_soon
from metaflow_hera.embedded.pods.warm import shared
from metaflow_hera.embedded.rules.quantities import parse_quantity

WARM = "embedded-argo/warm"
"""The annotation of pods that may be forked from one process, instead of being started.

It names the variables that are a pod's own, separated by spaces; `*` at the end of a name stands for
anything. All others are the same in all pods that one process forks, and so is the annotation: a word in it
that is no variable's name tells pods apart. The container runs `python -c PROGRAM`. When its `__name__` is
`__warm__`, the program does what the pods share, such as imports, and nothing else. It finds the first pod's
own variables, those that are named in full, in EMBEDDED_ARGO_FIRST, a JSON object.
"""

NOT_FOUND = 64
"""What Argo's emissary exits with when it does not find the program."""

START_ERROR = 128
"""The exit code that Kubernetes gives a container that could not be started."""


# Copies the standard output to a file beside the log. The shells outlive the signal that ends the program, to
# report how it ended.
CAPTURE = """
trap : TERM INT HUP
file=$1
shift
{ trap : TERM INT HUP; "$@"; echo $? >"$file.code"; } | { trap '' TERM INT HUP; exec tee -- "$file"; }
exit "$(cat -- "$file.code")"
"""


PROGRESS_VARIABLE, PROGRESS_PATH = "ARGO_PROGRESS_FILE", "/var/run/argo/progress"
"""Where a container tells how far it is, in Argo and in place of that here."""


# A shell changes, hides or trips over these, and drops names that it could not assign to: `env` sets them.
SHELLS_OWN = frozenset((
    "IFS", "LINENO", "OPTIND", "OPTARG", "OPTERR", "PPID", "PWD", "OLDPWD", "UID", "EUID", "SHLVL", "RANDOM",
    "SECONDS", "SHELLOPTS", "BASHOPTS", "BASH_ENV", "ENV", "POSIXLY_CORRECT", "PS1", "PS2", "PS4", "_",
    "MAIL", "MAILPATH", "MAILCHECK", "HISTSIZE",
))  # fmt: skip
SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


INHERITED = frozenset(("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE"))
NETWORK = frozenset(("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
IDENTITY = ("AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_CONFIG", "STORAGE_EMULATOR_HOST")
"""What a pod inherits from the server's environment; see the module."""


class CannotStart(Exception):
    """The container's process cannot be started.

    `exit_code` is what the pod ends with, or None where Kubernetes would never have run it.
    """

    def __init__(self, message: str, exit_code: int | None) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    @classmethod
    def because_of(cls, fault: Exception) -> CannotStart:
        """A fault on the way to a process, as Kubernetes reports one."""
        if isinstance(fault, cls):
            return fault
        if isinstance(fault, OSError):
            return cls(fault.strerror or str(fault), START_ERROR)
        return cls(f"{type(fault).__name__}: {fault}", START_ERROR)


@dataclass(frozen=True, slots=True)
class Process:
    """What to start: an absolute program and its arguments, the whole environment, the working directory.

    `outputs` maps the name of each output parameter to the file that holds it at the end, `message` is the
    file of its termination message, `volumes` are the folders that must exist. `memory_limit` is in
    bytes, None if there is none. `files` must be written first. `own` are the variables that make this pod
    differ from others that it could be forked with, see `warm`; None if it has to be started.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    outputs: dict[str, str]
    message: str
    volumes: list[str]
    memory_limit: int | None
    files: dict[str, str] = field(default_factory=dict)
    own: list[str] | None = None


def base_environment(server: Mapping[str, str]) -> dict[str, str]:
    """The part of the server's environment that every pod gets."""
    base = {
        name: value
        for name, value in server.items()
        if value and (name in INHERITED or name.upper() in NETWORK or name.startswith(IDENTITY))
    }
    base.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    if "USER" not in base:
        try:
            base["USER"] = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in some containers
            base["USER"] = str(os.getuid())
    base.setdefault("LANG", "C.UTF-8")
    return base


def expand(text: str, values: Mapping[str, str]) -> str:
    """Expand `$(NAME)` and `$$` as Kubernetes does in command, args and env.

    `$$` is a dollar; a name that is not defined stays as it is written. The rules are those of
    `k8s.io/kubernetes/third_party/forked/golang/expansion`.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else values.get(name, match.group())

    return re.sub(r"\$(?:\$|\(([^)]*)\))", value, text) if "$" in text else text


def pod_of(workflow: JSON, action: CreatePod) -> JSON:
    """What is needed to start a pod, with the labels and annotations that Argo gives it."""
    meta, template = workflow["metadata"], action.template
    spec = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or workflow["spec"]
    own = template.get("metadata") or {}
    common = spec.get("podMetadata") or {}
    return {
        "name": action.pod_name,
        "namespace": meta["namespace"],
        "uid": f"{meta['uid']}-{action.node_id}",
        "serviceAccount": template.get("serviceAccountName") or spec.get("serviceAccountName"),
        "labels": {
            **(common.get("labels") or {}),
            **(own.get("labels") or {}),
            "workflows.argoproj.io/workflow": meta["name"],
            "workflows.argoproj.io/completed": "false",
        },
        "annotations": {
            **(common.get("annotations") or {}),
            **(own.get("annotations") or {}),
            "workflows.argoproj.io/node-id": action.node_id,
        },
        "template": _what_to_run(template, action.result),
        "volumes": [volume["name"] for each in (template, spec) for volume in each.get("volumes") or ()],
    }


def _what_to_run(template: JSON, result: bool) -> JSON:
    """The parts of a template that make its process: for a script its container, and its source."""
    script = template.get("script")
    container = template.get("container") if script is None else script
    parts = {"container": container, "outputs": template.get("outputs"), "result": result}
    if script is not None:
        parts["container"] = {key: value for key, value in script.items() if key != "source"}
        parts["source"] = script.get("source")
    return {key: value for key, value in parts.items() if value}


def process(pod: JSON, folder: str, temporary: str, base: Mapping[str, str], cache: str) -> Process:
    """Work out the process of a pod.

    Args:
        pod: `name`, `namespace`, `labels`, `annotations`, `serviceAccount`, the `template`, and the names of
            its `volumes`.
        folder: the pod's own folder.
        temporary: its folder for temporary files.
        base: see `base_environment`.
        cache: the folder that pods share.

    Raises:
        CannotStart: the command is not found, or the environment or a volume cannot be made.
    """
    template = pod["template"]
    container = template.get("container") or {}
    mounts = _mounts(container, pod.get("volumes") or (), folder)
    in_volume = _rewriter({}, mounts)
    declared = _output_paths(template)
    outputs = {}
    for number, (name, path) in enumerate(declared.items()):
        own_path = f"{folder}.out-{number}-{os.path.basename(path)}"
        inside = in_volume(path)
        outputs[name] = own_path if inside == path else inside
    message = f"{folder}.message"
    written = {path: outputs[name] for name, path in declared.items()}
    written[container.get("terminationMessagePath") or "/dev/termination-log"] = message
    written[PROGRESS_PATH] = progress_file(folder)
    rewrite = _rewriter(written, mounts)

    files = {}
    if source := template.get("source"):
        files[f"{folder}.source"] = rewrite(source)
    own = _declared_environment(container, pod)
    command = [expand(part, own) for part in [*container.get("command", ()), *container.get("args", ())]]
    argv = [*(rewrite(part) for part in command), *files]
    if not argv:
        raise CannotStart("no command: the embedded Argo has no image to take one from", START_ERROR)
    cwd = rewrite(expand(str(container.get("workingDir") or ""), own))
    volumes = list(dict.fromkeys(mounts.values()))
    if cwd not in volumes and not (os.path.isabs(cwd) and os.path.isdir(cwd)):
        cwd = folder
    env = {**base, "TMPDIR": temporary, "EMBEDDED_ARGO_CACHE": cache}
    env.setdefault("HOME", folder)
    env.update((name, rewrite(value)) for name, value in own.items())
    env[PROGRESS_VARIABLE] = progress_file(folder)
    if any("\0" in text for text in (*argv, *env, *env.values())):
        raise CannotStart("a NUL byte in the command, the arguments or the environment", START_ERROR)
    argv[0] = _program(argv[0], env["PATH"], cwd)
    alike = _own_variables(pod, argv, env, folder)
    if template.get("result"):
        outputs[RESULT], alike = f"{folder}.out-result", None
        argv = _captured(argv, outputs[RESULT], env, own)
    return Process(argv, env, cwd, outputs, message, volumes, _memory_limit(container), files, alike)


def _own_variables(pod: JSON, argv: Sequence[str], env: Mapping[str, str], folder: str) -> list[str] | None:
    """The pod's own variables, if it asks to be forked and nothing else names its folders."""
    declared = (pod.get("annotations") or {}).get(WARM)
    if declared is None:
        return None
    own = ["TMPDIR", PROGRESS_VARIABLE, *str(declared).split()]
    texts = (*argv[:3], *shared(env, own).values())
    return None if any(each in text for text in texts for each in (folder, env["TMPDIR"])) else own


def _captured(argv: list[str], path: str, env: dict[str, str], own: Mapping[str, str]) -> list[str]:
    """The command that also writes its standard output to a file; what a shell would change leaves `env`."""
    odd = [name for name in own if name in SHELLS_OWN or not SHELL_NAME.match(name)]
    if odd:
        argv = ["/usr/bin/env", *(f"{name}={env.pop(name)}" for name in odd), *argv]
    return ["/bin/sh", "-c", CAPTURE, "sh", path, *argv]


def make_files(what: Process, folder: str) -> None:
    """Create what a process needs before it starts: the pod's own folder, its volumes, its source.

    The file of its termination message gets its full size, so that a disk that fills up meanwhile takes it.
    """
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    for path in (folder, *what.volumes):
        with contextlib.suppress(FileExistsError):  # a start cut short by a crash may have left it
            os.mkdir(path, 0o700)
    with open(os.open(what.message, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(bytes(MESSAGE_LIMIT))
    for path, text in what.files.items():
        # Executable, as Argo's executor leaves a script.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o700), "wb") as file:
            file.write(text.encode("utf-8", "replace"))


def remove_files(what: Process | None, folder: str) -> None:
    """Remove what a process takes with it: the pod's own folder, its volumes, and what it told."""
    for each in (folder, *(what.volumes if what is not None else ())):
        remove_soon(each)
    for file in (progress_file(folder), *([what.message] if what is not None else [])):
        with contextlib.suppress(OSError):
            os.unlink(file)


def progress_file(folder: str) -> str:
    """The file in which the pod with a folder tells how far it is."""
    return f"{folder}.progress"


def _mounts(container: JSON, volumes: Sequence[str], folder: str) -> dict[str, str]:
    """The folder for each path at which a volume is mounted; a volume may be mounted twice."""
    mounts: dict[str, str] = {}
    for mount in container.get("volumeMounts") or ():
        name, path = mount["name"], str(mount.get("mountPath") or "").rstrip("/")
        if name not in volumes:
            # Argo's words (addVolumeReferences in workflowpod.go).
            raise CannotStart(f"volume '{name}' not found in workflow spec", None)
        if not os.path.isabs(path):
            raise CannotStart(f"invalid mount path {mount.get('mountPath')!r}: not below /", START_ERROR)
        if path != "/dev/shm":  # which every process has
            mounts[path] = f"{folder}.vol-{volumes.index(name)}"
    return mounts


def _memory_limit(container: JSON) -> int | None:
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return parse_quantity(limit) or None if limit is not None else None


def _output_paths(template: JSON) -> dict[str, str]:
    parameters = (template.get("outputs") or {}).get("parameters") or ()
    found = {p["name"]: (p.get("valueFrom") or {}).get("path") for p in parameters}
    return {name: path for name, path in found.items() if path}


def _rewriter(files: Mapping[str, str], folders: Mapping[str, str]) -> Callable[[str], str]:
    """Replaces the paths of files, and those of folders and of all that is in them."""
    paths = {**folders, **files}
    if not paths:
        return lambda text: text
    found = "|".join(
        re.escape(path) + (r"(?![\w/-]|\.\w)" if path in files else r"(?![\w-]|\.\w)")
        for path in sorted(paths, key=len, reverse=True)
    )
    one = re.compile(rf"(?<![\w./-])(?:{found})")
    return lambda text: one.sub(lambda match: paths[match.group()], text)


def _declared_environment(container: JSON, pod: JSON) -> dict[str, str]:
    """The manifest's `env`; each value may refer to those before it, as in Kubernetes."""
    env: dict[str, str] = {}
    for entry in container.get("env") or ():
        source = entry.get("valueFrom")
        env[entry["name"]] = (
            _from_field(source, pod) if source else expand(str(entry.get("value") or ""), env)
        )
    return env


def _from_field(source: JSON, pod: JSON) -> str:
    """A value of the downward API; see Kubernetes' `fieldRef`."""
    path = str((source.get("fieldRef") or {}).get("fieldPath", ""))
    match = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if match:
        return str((pod.get(match.group(1)) or {}).get(match.group(2), ""))
    simple = {
        "metadata.name": pod["name"],
        "metadata.namespace": pod["namespace"],
        "metadata.uid": pod["uid"],
        "spec.serviceAccountName": pod.get("serviceAccount") or "default",
        "spec.nodeName": "localhost",
        "status.hostIP": "127.0.0.1",
        "status.podIP": "127.0.0.1",
    }
    if path not in simple:
        raise CannotStart(
            f"CreateContainerConfigError: the embedded Argo has no value for env from {source}", None
        )
    return str(simple[path])


def _program(name: str, path: str, cwd: str) -> str:
    """The program's absolute path.

    The message and the exit code are those of Argo's emissary (`argoexec emissary`), which looks the
    program up in the container before it starts it.
    """
    if "/" in name:
        full = os.path.join(cwd, name)
        if _is_program(full):
            return full
        reason = "permission denied" if os.path.exists(full) else "no such file or directory"
        raise CannotStart(f'failed to find name in PATH: exec: "{name}": stat {name}: {reason}', NOT_FOUND)
    for folder in path.split(os.pathsep):
        if _is_program(full := os.path.join(cwd, folder, name)):
            return full
    raise CannotStart(
        f'failed to find name in PATH: exec: "{name}": executable file not found in $PATH', NOT_FOUND
    )


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and os.path.isfile(path)
