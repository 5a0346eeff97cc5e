# SPDX-License-Identifier: Apache-2.0
"""What files can do besides: the order that survives a power failure, strangers in the tree, locks, errors."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.blobstore.stores import (
    FewBytesFiles,
    RecordingFiles,
    filesystem,
    listed,
    new_key,
    put,
    read,
)
from wharfinger.blobstore.base import KeyUnknown
from wharfinger.blobstore.files import Files
from wharfinger.blobstore.filesystem_writer import SYNC_EVERY
from wharfinger.domain.errors import StoreFull, StoreUnavailable

MIB = 1024 * 1024


class CountingFiles(Files):
    """Counts how often the free space is asked for, and says what it is told."""

    def __init__(self, free):
        self.answer = free
        self.asked = 0

    def free(self, _folder):
        self.asked += 1
        return self.answer


@pytest.fixture
def files():
    return RecordingFiles()


def after(files, mark):
    """Return the calls since the mark."""
    return files.calls[mark:]


# ---- the order


async def test_commit_syncs_data_then_renames_then_syncs_the_folder(make, files):
    store, key = await make(files=files), "ab/cd"
    writer = await store.begin(key)
    await writer.write([b"bytes"])
    mark = len(files.calls)
    await writer.commit()
    assert after(files, mark) == [
        ("sync", "cd.part"),
        ("rename", "cd"),
        ("sync_folder", "ab"),
        ("close", "cd.part"),
    ]


async def test_commit_after_a_checkpoint_syncs_no_data_again(make, files):
    store = await make(files=files)
    writer = await store.begin("ab/cd")
    await writer.write([b"bytes"])
    await writer.checkpoint()
    mark = len(files.calls)
    await writer.commit()
    assert after(files, mark) == [("rename", "cd"), ("sync_folder", "ab"), ("close", "cd.part")]


async def test_empty_file_is_synced_before_it_is_finished(make, files):
    store = await make(files=files)
    writer = await store.begin("ab/cd")
    await writer.commit()
    assert files.names().index("sync") < files.names().index("rename")


async def test_checkpoint_syncs_data_and_once_the_name(make, files):
    store = await make(files=files)
    writer = await store.begin("ab/cd")
    mark = len(files.calls)
    await writer.write([b"1"])
    await writer.checkpoint()
    await writer.write([b"2"])
    await writer.checkpoint()
    await writer.checkpoint()
    await writer.abort()
    assert [call for call, _ in after(files, mark)] == [
        *("write", "sync_data", "sync_folder"),
        *("write", "sync_data"),
        *("unlink", "close"),
    ]


async def test_resumed_writer_does_not_sync_the_name_again(make, files):
    store = await make(files=files)
    writer = await store.begin("ab/cd")
    state = await writer.checkpoint()
    await writer.close()
    mark = len(files.calls)
    writer = await store.resume("ab/cd", state)
    await writer.write([b"more"])
    await writer.checkpoint()
    await writer.close()
    assert [call for call, _ in after(files, mark)] == ["open_part", "write", "sync_data", "close"]


async def test_new_folders_are_made_durable_from_the_top(root, files):
    store = filesystem(root / "deep" / "er", files=files)
    await put(store, key="ab/cd")
    await store.aclose()
    folders = [(call, name) for call, name in files.calls if call.endswith("folder")]
    made = {"blobs", "deep", "er", "ab"}
    for folder, parent in (("blobs", root.parent.name), ("deep", "blobs"), ("er", "deep"), ("ab", "er")):
        first_success = max(at for at, call in enumerate(folders) if call == ("make_folder", folder))
        assert ("sync_folder", parent) in folders[first_success:]
    assert {name for call, name in folders if call == "make_folder"} == made
    assert folders[-1] == ("sync_folder", "ab")


async def test_known_folder_costs_no_call(make, files):
    store = await make(files=files)
    await put(store, key="ab/1")
    mark = len(files.calls)
    await put(store, key="ab/2")
    assert [call for call, _ in after(files, mark)] == [
        *("open_part", "truncate", "write", "sync"),
        *("rename", "sync_folder", "close"),
    ]


async def test_folder_that_another_process_made_is_made_durable_once(make, files):
    await put(await make(), key="ab/1")
    await put(await make(files=files), key="ab/2")
    assert ("sync_folder", "blobs") in files.calls


async def test_folder_that_went_away_is_made_again(make, root):
    store = await make()
    await store.delete(await put(store, key="ab/1"))
    (root / "ab").rmdir()
    assert await read(store, await put(store, b"back", key="ab/2")) == b"back"


class ClosedFolders(RecordingFiles):
    """Lets a folder of this name be used but not opened."""

    def __init__(self, name):
        super().__init__()
        self._closed = name

    def sync_folder(self, folder):
        if folder.name == self._closed:
            raise PermissionError(errno.EACCES, "not yours")
        super().sync_folder(folder)


async def test_root_may_stand_in_a_folder_that_cannot_be_opened(make, root):
    store = await make(files=ClosedFolders(root.parent.name))
    assert await read(store, await put(store)) == b"content"


async def test_folder_below_the_root_that_cannot_be_made_durable_takes_no_bytes(make):
    store = await make(files=ClosedFolders("ab"))
    with pytest.raises(StoreUnavailable):
        await put(store, key="ab/deeper/key")
    with pytest.raises(StoreUnavailable):
        await put(store, key="ab/key")
    assert await listed(store) == []


async def test_long_write_syncs_on_its_way(make, files):
    store, piece = await make(files=files), bytes(MIB)
    writer = await store.begin(new_key())
    for _ in range(SYNC_EVERY // (8 * MIB)):
        await writer.write([piece] * 8)
    assert files.names().count("sync_data") == 1
    await writer.abort()


# ---- failures of the disk


@pytest.mark.parametrize("call", ["sync", "rename", "sync_folder", "close"])
async def test_failure_in_commit_leaves_no_readable_key_and_no_bytes(make, root, files, call):
    store, key = await make(files=files), "ab/cd"
    writer = await store.begin(key)
    await writer.write([b"bytes"])
    files.fail(call, errno.EIO)
    with pytest.raises(StoreUnavailable):
        await writer.commit()
    files.failures.clear()
    with pytest.raises((StoreUnavailable, ValueError)):
        await writer.commit()
    with pytest.raises(KeyUnknown):
        await store.stat(key)
    await writer.abort()
    assert list((root / "ab").iterdir()) == []


@pytest.mark.parametrize("call", ["sync_data", "sync_folder"])
async def test_failed_sync_is_never_tried_again_and_nothing_of_the_file_is_trusted(make, files, call):
    store, key = await make(files=files), "ab/cd"
    writer = await store.begin(key)
    state = await writer.checkpoint()
    await writer.close()
    writer = await (store.resume(key, state) if call == "sync_data" else store.begin(key))
    await writer.write([b"bytes"])
    files.fail(call, errno.EIO)
    with pytest.raises(StoreUnavailable):
        await writer.checkpoint()
    files.failures.clear()
    mark = len(files.calls)
    for again in (writer.checkpoint, writer.commit, lambda: writer.write([b"x"])):
        with pytest.raises(StoreUnavailable):
            await again()
    assert after(files, mark) == []
    await writer.close()
    with pytest.raises(KeyUnknown):
        await store.resume(key, state)


async def test_abort_of_a_distrusted_writer_spares_the_next_one(make, files):
    store, key = await make(files=files), "ab/cd"
    writer = await store.begin(key)
    files.fail("sync_data", errno.EIO)
    with pytest.raises(StoreUnavailable):
        await writer.checkpoint()
    files.failures.clear()
    following = await store.begin(key)
    await writer.abort()
    await following.write([b"new"])
    await following.commit()
    assert await read(store, key) == b"new"


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        *((number, StoreFull) for number in (errno.ENOSPC, errno.EDQUOT)),
        *((number, StoreUnavailable) for number in (errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ESTALE)),
    ],
)
@pytest.mark.parametrize("call", ["open_part", "write", "sync"])
async def test_error_has_a_meaning_and_tells_no_path(make, root, files, call, number, meaning):
    store = await make(files=files)
    files.fail(call, number)
    with pytest.raises(meaning) as caught:
        await put(store)
    assert type(caught.value) is meaning
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == number
    assert str(root) not in caught.value.message
    assert caught.value.message.endswith(".")


async def test_writer_says_again_why_it_failed(make, files):
    writer = await (await make(files=files)).begin(new_key())
    files.fail("write", errno.ENOSPC)
    for _ in range(2):
        with pytest.raises(StoreFull):
            await writer.write([b"x"])
    await writer.abort()


@pytest.mark.parametrize("call", ["open_part", "write", "sync", "sync_folder"])
async def test_check_finds_a_broken_disk_and_leaves_nothing(make, root, files, call):
    store = await make(files=files)
    files.fail(call, errno.EIO)
    with pytest.raises(StoreUnavailable):
        await store.check()
    files.failures.clear()
    await store.check()
    assert list(root.iterdir()) == []


async def test_check_finds_a_disk_that_gives_back_other_bytes(make):
    class Liar(Files):
        def read(self, descriptor, length, offset):
            return super().read(descriptor, length, offset).replace(b"w", b"v")

    with pytest.raises(StoreUnavailable, match="other bytes"):
        await make(files=Liar())


async def test_bytes_that_come_and_go_a_few_at_a_time(make):
    store, content = await make(files=FewBytesFiles()), bytes(range(100))
    key = new_key()
    writer = await store.begin(key)
    await writer.write([content[:30], content[30:31], content[31:]])
    await writer.commit()
    assert await read(store, key) == content


# ---- room


async def test_reserve_is_kept_free(make):
    files = CountingFiles(free=2 * MIB)
    store = await make(files=files, reserve=MIB)
    key = new_key()
    writer = await store.begin(key)
    state = await writer.checkpoint()
    files.answer = MIB - 1
    store._room._until = 0  # a second later
    with pytest.raises(StoreFull):
        await writer.write([b"x"])
    await writer.close()
    with pytest.raises(StoreFull):
        await store.begin(new_key())
    with pytest.raises(StoreFull):
        await store.resume(key, state)
    with pytest.raises(StoreFull):
        await store.check()
    await store.delete(key)


async def test_free_space_is_not_asked_for_at_every_write(make):
    files = CountingFiles(free=MIB)
    store = await make(files=files, reserve=1)
    writer = await store.begin(new_key())
    for _ in range(50):
        await writer.write([b"x"])
    await writer.abort()
    assert files.asked <= 3


@pytest.fixture
def small_disk(root):
    """Mount a file system of half a mebibyte as the root."""
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", root], check=True)
    yield root
    subprocess.run(["umount", "--lazy", root], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file:
        file.write(b"f" * MIB)  # takes as much as there is room for


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


async def test_full_disk_fails_writes_and_nothing_else(small_disk, make):
    store, key = await make(), new_key()
    kept = await put(store, b"kept")
    writer = await store.begin(key)
    await writer.write([b"a" * 1000])
    state = await writer.checkpoint()
    with pytest.raises(StoreFull):
        await writer.write([b"b" * MIB])
    with pytest.raises(StoreFull):
        await writer.commit()
    await writer.close()
    assert (small_disk / f"{key}.part").stat().st_size == 1000
    filler = small_disk / "filler"
    fill(filler)
    with pytest.raises(StoreFull):
        await put(store, b"c" * 10_000)
    with pytest.raises(StoreFull):
        await store.check()
    assert await read(store, kept) == b"kept"
    await store.delete(kept)
    filler.unlink()
    resumed = await store.resume(key, state)
    await resumed.write([b"b"])
    await resumed.commit()
    assert await read(store, key) == b"a" * 1000 + b"b"
    assert await listed(store) == [key]


async def test_read_only_disk_fails_writes_and_serves_reads(small_disk, make):
    store = await make()
    key = await put(store, b"kept")
    remount(small_disk, "ro")
    for write in (lambda: put(store), store.check, lambda: store.delete(key)):
        with pytest.raises(StoreUnavailable, match="read-only"):
            await write()
    assert await read(store, key) == b"kept"
    remount(small_disk, "rw")
    await put(store)


# ---- other processes


def run(program, *arguments, **options):
    """Run a program that finds a store over the first argument; returns what it prints."""
    prologue = """
        import asyncio, os, resource, signal, sys
        from pathlib import Path
        from wharfinger.blobstore.base import *
        from wharfinger.blobstore.filesystem import FilesystemBlobStore
        from wharfinger.domain.errors import *
        root = Path(sys.argv[1])
        store = FilesystemBlobStore(root, reserve=0, max_threads=2)
    """
    whole = textwrap.dedent(prologue) + textwrap.dedent(program) + "\nasyncio.run(main())\n"
    command = [sys.executable, "-W", "error", "-c", whole, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


async def test_kill_in_the_middle_keeps_what_was_checkpointed(make, root):
    store = await make()
    done = run(
        """
        async def main():
            writer = await store.begin("ab/cd")
            await writer.write([b"kept"])
            await writer.checkpoint()
            await writer.write([b"lost"])
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        root,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    writer = await store.resume("ab/cd", {"offset": 4})
    await writer.write([b" and more"])
    await writer.commit()
    assert await read(store, "ab/cd") == b"kept and more"


async def test_too_many_open_files_is_a_failure_that_passes(make, root):
    key = await put(await make(), b"bytes")
    done = run(
        """
        async def main():
            key = sys.argv[2]
            await store.stat(key)
            await store.check()
            highest = max(map(int, os.listdir("/proc/self/fd")))
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, 1000))
            taken = []
            try:
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
            for call in (store.begin("zz/zz"), anext(store.open(key, 0, 5)), store.check()):
                try:
                    await call
                except StoreUnavailable as error:
                    print(error.message)
            for descriptor in taken:
                os.close(descriptor)
            print(b"".join([piece async for piece in store.open(key, 0, 5)]))
            await (await store.begin("zz/zz")).commit()
            await store.aclose()
        """,
        root,
        key,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *["The registry has too many files open; try again in a moment."] * 3,
        "b'bytes'",
    ]


async def test_missing_rights_are_a_failure_and_never_an_unknown_key(make, root, tmp_path):
    store = await make()
    key = await put(store)
    tmp_path.chmod(0o711)
    (root / key).parent.chmod(0o700)
    done = run(
        """
        async def main():
            os.seteuid(65534)
            async def keys():
                return [key async for key in store.keys()]
            for call in (
                store.stat(sys.argv[2]), anext(store.open(sys.argv[2], 0, 1)), store.begin("ab/new"),
                store.resume("ab/new", {"offset": 0}), store.delete(sys.argv[2]), store.check(), keys(),
            ):
                try:
                    await call
                except StoreUnavailable as error:
                    print(error.message)
            await store.aclose()
        """,
        root,
        key,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["The registry has no access to its storage."] * 7


async def test_bytes_have_one_writer_at_a_time(make):
    store, other, key = await make(), await make(), new_key()
    writer = await store.begin(key)
    state = await writer.checkpoint()
    for second in (store, other):
        with pytest.raises(StoreUnavailable, match="still writing"):
            await second.resume(key, state)
        with pytest.raises(StoreUnavailable, match="still writing"):
            await second.begin(key)
    await writer.write([b"mine"])
    state = await writer.checkpoint()
    await writer.close()
    resumed = await other.resume(key, state)
    await resumed.commit()
    assert await read(store, key) == b"mine"


# ---- the tree


async def test_keys_passes_over_strangers_and_never_follows_links(make, root, tmp_path):
    store = await make()
    expected = [await put(store), await put(store, key="zz/deep/er")]
    await (await store.begin("ab/unfinished")).close()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"not ours")
    (root / "link-to-folder").symlink_to(outside)
    (root / "link-to-file").symlink_to(outside / "file")
    (root / "loop").symlink_to(root)
    (root / "dangling").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe")
    (root / ".hidden").mkdir()
    (root / ".hidden" / "file").write_bytes(b"")
    (root / ".check-0123").write_bytes(b"")
    (root / "ab" / ".file").write_bytes(b"")
    (root / "ab" / "with space").write_bytes(b"")
    (root / "ab" / "umläut").write_bytes(b"")
    (root / "a folder").mkdir()
    (root / "a folder" / "file").write_bytes(b"")
    (root / "empty").mkdir()
    (root / "ab" / os.fsdecode(b"\xff\xfe")).touch()  # a name that is no text
    assert await listed(store) == sorted(expected)


async def test_keys_of_a_folder_that_cannot_be_read_are_an_error_and_no_short_list(make):
    class Unreadable(Files):
        def entries(self, folder):
            if folder.name == "zz":
                raise OSError(errno.EIO, "bad")
            return super().entries(folder)

    store = await make(files=Unreadable())
    await put(store, key="aa/1")
    await put(store, key="zz/1")
    with pytest.raises(StoreUnavailable):
        await listed(store)
    assert await listed(store, "aa/") == ["aa/1"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
async def test_what_is_no_file_in_the_place_of_a_key_is_unknown(make, root, tmp_path, kind):
    store = await make()
    place, secret = root / "stranger", tmp_path / "secret"
    secret.write_bytes(b"not ours")
    {"link": lambda: place.symlink_to(secret), "folder": place.mkdir, "pipe": lambda: os.mkfifo(place)}[kind]()
    with pytest.raises(KeyUnknown):
        await store.stat("stranger")
    with pytest.raises(KeyUnknown):
        await anext(store.open("stranger", 0, 1))


@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_stranger_in_the_place_of_unfinished_bytes_is_not_written_to(make, root, tmp_path, kind):
    store = await make()
    place, secret = root / "stranger.part", tmp_path / "secret"
    secret.write_bytes(b"not ours")
    if kind == "link":
        place.symlink_to(secret)
    else:
        os.mkfifo(place)
    with pytest.raises(StoreUnavailable):
        await store.begin("stranger")
    with pytest.raises(StoreUnavailable):
        await store.resume("stranger", {"offset": 0})
    assert secret.read_bytes() == b"not ours"


async def test_missing_root_is_a_failure_and_never_an_empty_store(make, root):
    store = await make()
    key = await put(store)
    root.rename(root.with_name("blobs-elsewhere"))
    for call in (
        lambda: store.stat(key),
        lambda: anext(store.open(key, 0, 1)),
        lambda: anext(store.open_unfinished(key, {"offset": 1})),
        lambda: store.resume(key, {"offset": 0}),
        lambda: store.delete(key),
        lambda: listed(store),
    ):
        with pytest.raises(StoreUnavailable):
            await call()
    root.with_name("blobs-elsewhere").rename(root)
    assert await read(store, key) == b"content"


async def test_path_is_the_file_and_touches_no_disk(root):
    store = filesystem(root)
    assert store.path("ab/cd") == root / "ab" / "cd"
    assert not root.exists()
    key = await put(store, b"in the file")
    assert store.path(key).read_bytes() == b"in the file"
    assert await store.presign(key, 60) is None
    await store.aclose()


async def test_key_that_looks_unfinished_is_refused(make):
    store = await make()
    with pytest.raises(ValueError, match=r"\.part"):
        await store.begin("ab/cd.part")
    with pytest.raises(ValueError, match=r"\.part"):
        store.path("ab/cd.part")


async def test_files_are_not_for_everybody(make, root):
    key = await put(await make())
    assert (root / key).stat().st_mode & 0o007 == 0
    assert root.stat().st_mode & 0o007 == 0


async def test_default_threads_of_the_loop_stay_unused(make):
    store = await make()
    await read(store, await put(store))
    assert asyncio.get_running_loop()._default_executor is None


# ---- what is left for good


async def test_settling_syncs_each_folder_once(make, files):
    store = await make(files=files)
    for key in ("ab/1", "ab/2", "cd/3"):
        await store.delete(await put(store, key=key))
    mark = len(files.calls)
    await store.settle(["ab/1", "ab/2", "cd/3"])
    assert after(files, mark) == [("sync_folder", "ab"), ("sync_folder", "cd")]


async def test_settling_fails_without_a_root(make, root):
    store = await make()
    root.rmdir()
    with pytest.raises(StoreUnavailable):
        await store.settle(["ab/1"])


async def test_deletion_that_cannot_be_made_durable_is_a_failure(make, files):
    store = await make(files=files)
    key = await put(store)
    await store.delete(key)
    files.fail("sync_folder", errno.EIO)
    with pytest.raises(StoreUnavailable):
        await store.settle([key])


async def test_what_a_check_left_behind_is_swept_by_the_first_check_of_a_process_once_it_is_old(root):
    await put(filesystem(root), key="ab/1")
    old, young, other = root / ".check-0123", root / ".check-4567", root / ".checkpoint"
    for path in (old, young, other):
        path.write_bytes(b"wharfinger was here")
    for path in (old, other):
        os.utime(path, (0, 0))
    store = filesystem(root)
    await store.check()
    assert sorted(path.name for path in root.iterdir()) == [young.name, other.name, "ab"]
    os.utime(young, (0, 0))
    await store.check()
    assert young.exists()
    await filesystem(root).check()
    assert not young.exists()


async def test_file_that_cannot_be_opened_has_no_size(make):
    """The server that sends it would take "too many files" for "there is no such file", and say so to the client."""
    store = await make()
    key = await put(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", _no_more_files)
        with pytest.raises(StoreUnavailable, match="too many files"):
            await store.stat(key)
    assert await store.stat(key) == len(b"content")


def _no_more_files(path, *_):
    raise OSError(errno.EMFILE, "too many", str(path))
