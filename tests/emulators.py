"""Real servers of the datastores that a cluster's pods reach, started by the tests.

Credentials are those that Metaflow finds in a cluster, and are asked for: S3 takes temporary ones with a
session token, Azure the token of a managed identity, Google that of a service account.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import npm
import trustme
from azure.storage.blob import BlobServiceClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage
from harness import PLAIN
from moto.server import ThreadedMotoServer
from serving import serving

AZURITE, SCRIPT = "3.37.0", "dist/src/blob/main.js"
BUCKET = "flows"
BEARER = {"Authorization": "Bearer of-the-tests"}
"""The token that Google gives here."""


@dataclass(frozen=True)
class Datastore:
    """A datastore of Metaflow's: its type, the root of it, and what a client's environment says of it.

    `put` stores the content of a file, by its name below the root.
    """

    kind: str
    root: str
    env: dict[str, str]
    put: Callable[[str, bytes], None]


@contextmanager
def s3() -> Iterator[Datastore]:
    """moto, as an S3 server at an address of its own that takes temporary credentials."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    root = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    try:
        everything = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        }
        iam = boto3.client("iam", endpoint_url=url, **root)
        arn = iam.create_role(RoleName="pods", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        iam.put_role_policy(RoleName="pods", PolicyName="all", PolicyDocument=json.dumps(everything))
        sts = boto3.client("sts", endpoint_url=url, **root)
        given = sts.assume_role(RoleArn=arn, RoleSessionName="pods")["Credentials"]
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name="us-east-1",
        )
        httpx.post(
            f"{url}/moto-api/reset-auth", content="0", **PLAIN
        ).raise_for_status()  # from now on it asks for them
        client.create_bucket(Bucket=BUCKET)

        def put(name: str, content: bytes) -> None:
            client.put_object(Bucket=BUCKET, Key=f"metaflow/{name}", Body=content)

        env = {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
            "METAFLOW_S3_ENDPOINT_URL": url,
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{BUCKET}/metaflow",
            "METAFLOW_DATATOOLS_S3ROOT": f"s3://{BUCKET}/data",
        }
        yield Datastore("s3", f"s3://{BUCKET}/metaflow", env, put)
    finally:
        server.stop()


@contextmanager
def azure() -> Iterator[Datastore]:
    """Azurite, behind TLS, and the server that gives a machine's managed identity its tokens."""
    account, key = "storage", base64.b64encode(b"a key of the tests").decode()
    with tempfile.TemporaryDirectory() as place, serving(Identity) as identity:
        folder = Path(place)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(folder / "own.pem")
        )
        command = [
            *(
                npm.node(),
                str(npm.file_of("azurite", AZURITE, SCRIPT)),
                "--blobPort",
                "0",
                "--inMemoryPersistence",
                "--disableTelemetry",
            ),
            *("--oauth", "basic", "--cert", str(folder / "own.pem"), "--key", str(folder / "own.pem")),
            *("--silent", "--skipApiVersionCheck"),
        ]
        env = {**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=place) as process:
            try:
                assert process.stdout is not None
                url = next(line.split()[-1] for line in process.stdout if "successfully listen" in line)
                threading.Thread(target=process.stdout.read, daemon=True).start()
                service = BlobServiceClient(
                    f"{url}/{account}",
                    credential={"account_name": account, "account_key": key},
                    connection_verify=str(folder / "authority.pem"),
                )
                container = service.create_container(BUCKET)

                def put(name: str, content: bytes) -> None:
                    container.upload_blob(f"metaflow/{name}", content, overwrite=True)

                yield Datastore(
                    "azure",
                    f"{BUCKET}/metaflow",
                    {
                        "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://{identity}",
                        "REQUESTS_CA_BUNDLE": str(folder / "authority.pem"),
                        "METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT": f"{url}/{account}",
                        "METAFLOW_DATASTORE_SYSROOT_AZURE": f"{BUCKET}/metaflow",
                    },
                    put,
                )
            finally:
                process.terminate()


@contextmanager
def gs() -> Iterator[Datastore]:
    """gcp-storage-emulator, which here demands the tokens that it gives to a service account."""
    storage = Storage(use_memory_fs=True)
    create_bucket(BUCKET, storage)
    # It has one thread: the emulator's storage is not made for several.
    with tempfile.TemporaryDirectory() as place, serving(partial(Google, storage), HTTPServer) as address:
        url = f"http://{address}"
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        account = Path(place, "account.json")
        account.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "tests",
                    "private_key_id": "1",
                    "private_key": key.private_bytes(
                        serialization.Encoding.PEM,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    ).decode(),
                    "client_email": "pods@tests.iam.gserviceaccount.com",
                    "token_uri": f"{url}/token",
                }
            )
        )

        def put(name: str, content: bytes) -> None:
            where = f"{url}/upload/storage/v1/b/{BUCKET}/o"
            query = {"uploadType": "media", "name": f"metaflow/{name}"}
            httpx.post(where, params=query, content=content, headers=BEARER, **PLAIN).raise_for_status()

        env = {
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
            "STORAGE_EMULATOR_HOST": url,
            "METAFLOW_DATASTORE_SYSROOT_GS": f"gs://{BUCKET}/metaflow",
        }
        yield Datastore("gs", f"gs://{BUCKET}/metaflow", env, put)


class Identity(BaseHTTPRequestHandler):
    """Gives a token to whoever asks, as the metadata service of a machine in Azure."""

    def do_GET(self) -> None:
        """Answer `/metadata/identity/oauth2/token`."""
        resource = parse_qs(urlsplit(self.path).query)["resource"][0]
        now = int(time.time())
        claims = {
            "aud": resource,
            "iss": "https://sts.windows.net/tests/",
            **dict.fromkeys(("iat", "nbf"), now - 60),
            "exp": now + 7200,
        }
        token = ".".join([*map(_encoded, ({"alg": "none", "typ": "JWT"}, claims)), ""])
        answer = {"access_token": token, "expires_in": "7200", "resource": resource, "token_type": "Bearer"}
        _answer(self, 200, answer)

    def log_message(self, *arguments: object) -> None:
        """Nothing on stderr."""


class Google(RequestHandler):  # type: ignore[misc]
    """The emulator, for those with a token."""

    def do_POST(self) -> None:
        """Give a token, or store something."""
        if self.path != "/token":
            self._if_allowed(super().do_POST)
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        _answer(self, 200, {"access_token": "of-the-tests", "expires_in": 3600, "token_type": "Bearer"})

    def do_GET(self) -> None:
        """Read something."""
        self._if_allowed(super().do_GET)

    def _if_allowed(self, act: Callable[[], None]) -> None:
        if self.headers["Authorization"] == BEARER["Authorization"]:
            act()
        else:
            _answer(self, 401, {"error": {"code": 401, "message": "Invalid Credentials"}})


def _answer(handler: BaseHTTPRequestHandler, status: int, answer: object) -> None:
    body = json.dumps(answer).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


ALL = {"s3": s3, "azure": azure, "gs": gs}
