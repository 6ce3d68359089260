"""The first code that runs in a pod: it fetches the code package, unpacks it and continues from there.

Its text is the argument of `python -c` in the manifest, so it uses only the standard library and has
no double braces (Argo's) and no dollar signs (Kubernetes').

The embedded Argo also runs it in a process from which it forks pods (`embedded.pods.warm_process`). There
`__name__` is `__warm__`, and only what pods with the same modules share is done: these are imported (`warm`).
"""

import base64
import gc
import importlib
import io
import json
import os
import sys
import tempfile
import time

MODULES = ".mf_code"


def say(line: str) -> None:
    print(line, flush=True)
    said.append((time.time(), line))


def lacking(packages: "tuple[str, ...]") -> "list[str]":
    """The packages whose modules, which have dots for the dashes, cannot be imported."""
    found = []
    for package in packages:
        try:
            importlib.import_module(package.replace("-", "."))
        except ImportError:
            found.append(package)
    return found


def need(*packages: str, beside: "tuple[str, ...]" = ()) -> None:
    """Install packages that are missing, and with them what Metaflow installs beside them for @secrets."""
    missing = lacking(packages)
    if not missing:
        return
    lacks = "the image lacks " + ", ".join(missing)
    if os.environ.get("METAFLOW_SKIP_INSTALL_DEPENDENCIES"):  # to try again is of no use
        sys.exit(f"The code package cannot be fetched: {lacks}, and nothing may be installed.")
    import site
    import subprocess

    pip = ["-m", "pip", "install", "-qqq", "--no-compile", "--no-cache-dir", "--disable-pip-version-check"]
    done = subprocess.run([sys.executable, *pip, *missing, *beside])
    if site.ENABLE_USER_SITE:  # where pip installs what this user may not install elsewhere
        site.addsitedir(site.getusersitepackages())
    importlib.invalidate_caches()
    if lacking(packages):
        raise OSError(f"{lacks}, and pip could not install that (exit code {done.returncode})")


# A manifest has the one of these that its pods need.
def fetch_local(url: str, target: str) -> None:
    import shutil

    shutil.copyfile(url, target)


def fetch_s3(url: str, target: str) -> None:
    need("boto3", "requests")
    import boto3

    bucket, key = url[len("s3://") :].split("/", 1)
    endpoint = os.environ.get("METAFLOW_S3_ENDPOINT_URL") or None
    boto3.client("s3", endpoint_url=endpoint).download_file(bucket, key, target)


def fetch_azure(url: str, target: str) -> None:
    secrets = ("azure-keyvault-secrets",)
    need("azure-identity", "azure-storage-blob", "requests", beside=secrets)
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobClient

    account = os.environ["METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT"]
    container, name = url.split("/", 1)
    blob = BlobClient(account, container, name, credential=DefaultAzureCredential())
    with blob, open(target, "wb") as file:
        blob.download_blob().readinto(file)


def fetch_gs(url: str, target: str) -> None:
    secrets = ("google-cloud-secret-manager", "packaging")
    need("google-cloud-storage", "google-auth", "requests", beside=secrets)
    import google.auth
    from google.cloud import storage

    credentials, project = google.auth.default(scopes=storage.Client.SCOPE)
    bucket, name = url[len("gs://") :].split("/", 1)
    with storage.Client(project, credentials) as client:
        client.bucket(bucket).blob(name).download_to_filename(target)


def download(folder: str) -> str:
    say("Downloading code package...")
    url = os.environ["METAFLOW_CODE_URL"]
    archive = os.path.join(folder, "job.tar")
    for delay in (1, 2, 5, 10, 10, None):
        try:
            globals()["fetch_" + os.environ["METAFLOW_CODE_DS"]](url, archive)
            break
        except Exception as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if delay is None:
                sys.exit(f"The code package {url} could not be fetched: {why}.")
            say(f"The code package could not be fetched ({why}); trying again.")
            time.sleep(delay)
    return archive


def unpack(folder: str, cache: "str | None" = None) -> None:
    """Fetch and unpack the package; its modules go to the cache, for all packages that have the same."""
    archive = download(folder)
    with open(archive, "rb") as file:
        if cache is None or not unpack_apart(file, folder, cache):
            file.seek(0)
            extract(file, folder, "r")
    os.remove(archive)
    say("Code package downloaded.")


def unpack_apart(file: "io.BufferedReader", folder: str, cache: str) -> bool:
    """Unpack the flow's own files, and link the modules; returns whether a package can be used so.

    Modules are the same from one version of a flow to the next, and take longer to unpack and to compile than
    to import. A package does not say where its modules end if an older version has made it and
    `create --from-branch` deploys it again. A flow with files of its own among them shares none.
    """
    # The header of load/archives.py: a flag that it has a comment, and twelve digits.
    header = file.read(23)
    flags, comment = header[3:4], header[10:22]
    if flags != b"\x10" or not comment.isdigit():
        return False
    modules = file.read(int(comment))
    rest = Rest(file)
    extract(rest, folder, "r|")
    while rest.read(1 << 16):  # to its end, or it would not show that it is cut short
        pass
    if os.path.lexists(os.path.join(folder, MODULES)):
        return False
    link_modules(modules, folder, cache)
    return True


class Rest:
    """The rest of a compressed file, from where it depends on nothing before."""

    def __init__(self, file: "io.BufferedReader") -> None:
        import zlib

        self.file = file
        self.inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        self.held = b""

    def read(self, size: int) -> bytes:
        while len(self.held) < size and not self.inflating.eof:
            packed = self.file.read(1 << 14)
            if not packed:
                raise EOFError("The code package is cut short.")
            self.held += self.inflating.decompress(packed)
        found, self.held = self.held[:size], self.held[size:]
        return found


def extract(file: "io.BufferedIOBase | Rest", folder: str, mode: str) -> None:
    """Unpack a tar file, read in one of tarfile's modes."""
    import tarfile

    with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload] # it needs no more of Rest
        if hasattr(tarfile, "fully_trusted_filter"):
            tar.extraction_filter = tarfile.fully_trusted_filter
        tar.extractall(folder)


def link_modules(packed: bytes, folder: str, cache: str) -> None:
    """Link the modules in the cache into a folder; unpack them there first if no pod has yet."""
    import hashlib
    import zlib

    shared = os.path.join(cache, "modules-" + hashlib.sha256(packed).hexdigest())
    if not os.path.isdir(shared):
        new = tempfile.mkdtemp(dir=cache)
        extract(io.BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed)), new, "r:")
        move(os.path.join(new, MODULES), shared)
        os.rmdir(new)
    os.mkdir(os.path.join(folder, MODULES))  # no link: Metaflow looks beside it
    for name in os.listdir(shared):
        os.symlink(os.path.join(shared, name), os.path.join(folder, MODULES, name))


def move(new: str, target: str) -> None:
    """Put a folder where it will be shared, unless another pod has been quicker."""
    try:
        os.rename(new, target)
    except OSError:
        import shutil

        shutil.rmtree(new)


def shared_package(cache: str) -> str:
    """The package, unpacked once for all pods of this machine, by the first of them."""
    package = os.path.join(cache, "code-" + os.environ["METAFLOW_CODE_SHA"])
    if not os.path.isdir(os.path.join(package, MODULES, "metaflow_hera")):  # what it leads to may be gone
        os.makedirs(cache, exist_ok=True)
        folder = tempfile.mkdtemp(dir=cache)
        unpack(folder, cache)
        move(folder, package)
    return package


# shutil would do it, but its imports take longer than the copying.
def copy(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.mkdir(target)
        for name in os.listdir(source):
            copy(os.path.join(source, name), os.path.join(target, name))
    else:
        with open(source, "rb") as old, open(target, "wb") as new:
            new.write(old.read())
        os.chmod(target, os.stat(source).st_mode)


def read_environment() -> None:
    os.environ.update(json.loads(base64.b64decode(os.environ.pop("METAFLOW_HERA_ENCODED", "e30="))))
    place = os.environ["METAFLOW_CODE_URL"]
    if place.startswith("base64:"):
        place = base64.b64decode(place[len("base64:") :]).decode("utf-8", "surrogateescape")
    os.environ.update(METAFLOW_CODE_URL=place, METAFLOW_CODE_SHA=place.rsplit("/", 1)[-1])
    if "EMBEDDED_ARGO_EVENTS_URL" in os.environ:
        # Events of runs on this machine start flows deployed on it, whatever is configured for a cluster.
        webhook = os.environ["EMBEDDED_ARGO_EVENTS_URL"] + os.environ["ARGO_WORKFLOW_NAMESPACE"]
        os.environ["METAFLOW_ARGO_EVENTS_WEBHOOK_URL"] = webhook
        os.environ["METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH"] = "none"


def enter(work: str, package: str) -> None:
    """Work in a folder, and import from there first, then from the package."""
    os.chdir(work)
    os.makedirs(".metaflow", exist_ok=True)  # where Metaflow looks for its configuration first
    modules = os.path.join(package, MODULES)
    sys.path[:0] = [work, modules]
    os.environ["METAFLOW_EXTRACTED_ROOT"] = package
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [modules, os.environ.get("PYTHONPATH")]))


def prepare() -> None:
    """Import what all pods with the modules of the first one's package import, and nothing of the user's."""
    first = json.loads(os.environ.pop("EMBEDDED_ARGO_FIRST"))
    os.environ.update(first)
    read_environment()
    package = shared_package(os.environ["EMBEDDED_ARGO_CACHE"])
    sys.path.insert(0, os.path.realpath(os.path.join(package, MODULES, "metaflow_hera", "..")))
    from metaflow_hera.runtime.warm import import_all, root_of

    root = root_of(package, first)
    enter(root, root)
    import_all(root, first)


def run() -> None:
    """Be the pod."""
    say("Setting up task environment.")
    read_environment()
    try:
        work = tempfile.mkdtemp(prefix="metaflow-", dir=os.getcwd())
    except OSError:  # a folder that this user may not write to
        work = tempfile.mkdtemp(prefix="metaflow-")
    if "EMBEDDED_ARGO_CACHE" in os.environ and "METAFLOW_HERA_OWN_PACKAGE" not in os.environ:
        package = shared_package(os.environ["EMBEDDED_ARGO_CACHE"])
        if "metaflow_hera.runtime.warm" in sys.modules:
            from metaflow_hera.runtime.warm import take_over

            take_over(package)
        for name in os.listdir(package):
            if not name.startswith(".mf_"):
                copy(os.path.join(package, name), os.path.join(work, name))
    else:
        package = work
        unpack(work)
    enter(work, package)
    from metaflow_hera.runtime.pod import main

    code = main(said)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to tidy up


def tell(error: BaseException) -> None:
    """Leave why the pod fails as its termination message, which Argo shows."""
    if "METAFLOW_HERA_MESSAGE" in os.environ:
        text = (str(error).strip().splitlines() or [""])[0]
        if not isinstance(error, SystemExit):
            text = type(error).__name__ + ": " + text
        with open(os.environ["METAFLOW_HERA_MESSAGE"], "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))


gc.disable()  # until the task starts: what is imported until then stays
said: "list[tuple[float, str]]" = []
if __name__ == "__warm__":
    prepare()
else:
    try:
        run()
    except BaseException as error:
        tell(error)
        raise
