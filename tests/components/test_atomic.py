import errno
import os
import resource
import stat

import pytest

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_file_appears_whole_with_usual_permissions(tmp_path):
    with atomic_path(tmp_path / "a.nvrc") as place:
        assert place.suffix == ".nvrc"
        place.write_bytes(b"whole")
        assert not (tmp_path / "a.nvrc").exists()
    assert (tmp_path / "a.nvrc").read_bytes() == b"whole"
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.nvrc", "plain")}
    assert len(modes) == 1
    assert names(tmp_path) == ["a.nvrc", "plain"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("folder", [False, True])
def test_failure_leaves_nothing(tmp_path, error, folder):
    def write():
        with atomic_path(tmp_path / "out", folder=folder) as place:
            (place / "x" if folder else place).write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert names(tmp_path) == []


def test_failure_keeps_the_old_file(tmp_path):
    old = tmp_path / "a.json"
    old.write_text("old")

    def fail():
        with atomic_path(old, force=True) as place:
            place.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert old.read_text() == "old"
    with atomic_path(old, force=True) as place:
        place.write_text("new")
    assert old.read_text() == "new"
    assert names(tmp_path) == ["a.json"]


def test_existing_output_needs_force(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match=r"already exists.*--force"), atomic_path(tmp_path / "a"):
        pytest.fail("must not be entered")


def test_output_that_appears_meanwhile_is_kept(tmp_path):
    def race():
        with atomic_path(tmp_path / "a") as place:
            place.write_text("mine")
            (tmp_path / "a").write_text("theirs")

    with pytest.raises(InputError, match="already exists"):
        race()
    assert (tmp_path / "a").read_text() == "theirs"
    assert names(tmp_path) == ["a"]


def test_link_is_followed(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_path(tmp_path / "link", force=True) as place:
        place.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_missing_directory_and_wrong_kind(tmp_path):
    with pytest.raises(InputError, match="does not exist"), atomic_path(tmp_path / "no" / "a"):
        pass
    with pytest.raises(InputError, match="not a regular file"), atomic_path(tmp_path, force=True):
        pass
    with pytest.raises(InputError, match="not a regular file"), atomic_path(os.devnull, force=True):
        pass
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="not a folder"),
        atomic_path(tmp_path / "file", force=True, folder=True),
    ):
        pass


def test_folder_is_replaced_only_when_alike(tmp_path):
    target = tmp_path / "frames"
    with atomic_path(target, folder=True) as place:
        (place / "1.png").write_text("old")
        (place / "2.png").write_text("old")
    with pytest.raises(InputError, match="already exists"), atomic_path(target, folder=True):
        pass
    with atomic_path(target, force=True, folder=True) as place:
        (place / "1.png").write_text("new")
    assert names(target) == ["1.png"]
    (target / "thesis.tex").touch()
    with (
        pytest.raises(InputError, match=r"also holds thesis\.tex"),
        atomic_path(target, force=True, folder=True) as place,
    ):
        (place / "1.png").touch()
    assert names(target) == ["1.png", "thesis.tex"]
    assert names(tmp_path) == ["frames"]


def test_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "frames").mkdir()
    with atomic_path(tmp_path / "frames", folder=True) as place:
        (place / "1.png").touch()
    assert names(tmp_path / "frames") == ["1.png"]


def test_no_room_is_one_line(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written") as caught, atomic_path(tmp_path / "a") as place:
            place.write_bytes(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_denied_is_one_line(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match=r"a: cannot be written \(Permission denied\)"), atomic_path(tmp_path / "a"):
        pass


def test_other_system_errors_of_the_block_are_its_own(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
