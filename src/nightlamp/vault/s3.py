"""A place in an S3-compatible store. Needs the extra ``s3``.

Objects are uploaded whole (in parts if they are large) and appear whole. As long as one is new, an empty
object ``<name>.new`` lies beside it. A deletion removes every version, so that a bucket with versioning keeps
nothing; a bucket with object lock refuses, and that is an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nightlamp.errors import ConfigError, VaultError
from nightlamp.vault.place import Fill, Sink, Stored, is_name, new_name

if TYPE_CHECKING:
    from nightlamp.settings.sections import VaultSettings

_IN_MEMORY = 8 << 20  # sealed bytes that wait for upload in memory; more go to an unlinked temporary file
_NEW = ".new"
_NOT_THERE = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}


class S3Place:
    """Sealed bytes in a bucket.

    Args:
        client: a boto3 S3 client.
        bucket: it must exist.
        prefix: what names start with.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"S3Place({self._bucket}/{self._prefix})"

    @classmethod
    def of(cls, settings: VaultSettings) -> S3Place:
        """By the settings; without keys in them, the client's own search for credentials applies."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise ConfigError(
                "needs boto3", where="vault.backend", hint="pip install 'nightlamp[s3]'"
            ) from None
        secrets = {
            "aws_access_key_id": settings.s3_access_key,
            "aws_secret_access_key": settings.s3_secret_key,
        }
        client = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=settings.s3_region,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": 4, "mode": "standard"},
                # Newer clients add checksums that many compatible stores do not know.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"} if settings.s3_endpoint else {},
            ),
            **{name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None},
        )
        return cls(client, settings.s3_bucket, settings.s3_prefix)

    def put(self, name: str, fill: Fill) -> None:
        """Seal into memory or an unlinked file (sealed bytes only), note that they are new, then upload."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            try:
                fill(spool)
            except OSError as error:
                raise VaultError(
                    f"no room to prepare an upload ({error.strerror})", where=tempfile.gettempdir()
                ) from None
            spool.seek(0)
            with self._saying("written"):
                self._client.put_object(Bucket=self._bucket, Key=self._key(name + _NEW), Body=b"")
                self._client.upload_fileobj(spool, self._bucket, self._key(name))

    def enter(self, name: str) -> None:
        """Remove the note."""
        with self._saying("entered"):
            self._remove(self._key(name + _NEW))

    def open(self, name: str) -> BinaryIO:
        """Stream the object."""
        with self._saying("read"):
            body = self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"]
        return cast(BinaryIO, _Body(body, self))

    def delete(self, name: str) -> None:
        """Remove every version and every marker; the note last."""
        with self._saying("removed"):
            self._remove(self._key(name))
            self._remove(self._key(name + _NEW))

    def exists(self, name: str) -> bool:
        """Whether the object, or any version of it, is there."""
        key = self._key(name)
        with self._saying("looked for"):
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=2)
            there = any(entry["Key"] == key for entry in listed.get("Contents", ()))
            return there or any(True for _ in self._versions(key))

    def names(self) -> Iterator[Stored]:
        """List the bucket under the prefix; a note without its object is what a broken ``put`` left."""
        found: dict[str, Stored] = {}
        with self._saying("listed"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for entry in page.get("Contents", ()):
                    key = entry["Key"].removeprefix(self._prefix)
                    name = key.removesuffix(_NEW)
                    if is_name(name):  # the two of a new one may come in any order
                        entered = key == name and name not in found
                        found[name] = Stored(name, entry["LastModified"], entered)
        yield from found.values()

    def check(self) -> None:
        """Write, read and remove an object."""
        name = new_name()
        self.put(name, lambda out: _write(out, b"nightlamp"))
        with closing(self.open(name)) as body:
            whole = body.read() == b"nightlamp"
        self.delete(name)
        if not whole:
            raise VaultError("does not give back what was written", where=self._bucket)

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)
        for version in list(self._versions(key)):
            self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)

    def _versions(self, key: str) -> Iterator[str]:
        from botocore.exceptions import ClientError

        try:
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=key
            )
            for page in pages:
                for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if entry["Key"] == key:
                        yield entry["VersionId"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "NotImplemented":
                raise  # a store without versions has nothing more to remove; any other refusal is an error

    @contextmanager
    def _saying(self, what: str) -> Iterator[None]:
        """Turn the client's errors into ours."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            text = (
                "a sealed object is not there"
                if code in _NOT_THERE
                else f"a sealed object cannot be {what} ({code})"
            )
            raise VaultError(text, where=self._bucket, hint="check the bucket and its policy") from None
        except (BotoCoreError, Boto3Error) as error:
            raise VaultError(
                f"a sealed object cannot be {what} ({type(error).__name__})",
                where=self._bucket,
                hint="check vault.s3_endpoint and the network",
            ) from None


class _Body:
    """A response's body as a file that speaks our errors."""

    def __init__(self, body: Any, place: S3Place) -> None:
        self._body = body
        self._place = place

    def read(self, size: int = -1, /) -> bytes:
        with self._place._saying("read"):
            return bytes(self._body.read(None if size < 0 else size))

    def close(self) -> None:
        self._body.close()

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(out: Sink, data: bytes) -> None:
    out.write(data)
