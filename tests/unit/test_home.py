"""Where the home of the embedded Argo is, and what a folder that cannot be one comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaflow_hera.argo.target import resolve_target
from metaflow_hera.errors import ConfigurationError, LocalServerError
from metaflow_hera.home import cache_folder, home_folder, make_home


def test_the_home_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path))
    assert home_folder() == tmp_path
    monkeypatch.setenv("METAFLOW_HERA_HOME", "relative")
    with pytest.raises(ConfigurationError, match="absolute"):
        home_folder()


def test_what_others_may_write_to_is_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(home))
    assert cache_folder() is None
    make_home()
    assert cache_folder() == home / "cache"
    for mode in (0o770, 0o702):
        home.chmod(mode)
        assert cache_folder() is None
    home.chmod(0o755)
    assert cache_folder() == home / "cache"
    monkeypatch.setenv("METAFLOW_HERA_HOME", "relative")
    assert cache_folder() is None


def test_a_pod_is_told_the_home_that_it_belongs_to(tmp_path: Path) -> None:
    pod = {"EMBEDDED_ARGO_HOME": str(tmp_path)}
    assert home_folder(pod) == tmp_path
    assert home_folder({**pod, "METAFLOW_HERA_HOME": str(tmp_path / "other")}) == tmp_path / "other"


def test_there_is_a_home_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "METAFLOW_HERA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert home_folder().is_absolute()


def test_there_is_a_home_for_a_user_that_the_system_does_not_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "METAFLOW_HERA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    # As with `docker run --user 54321`. No test may become another user.
    monkeypatch.setattr("os.getuid", lambda: 54321)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert home_folder() == tmp_path / "metaflow_hera-54321"


def test_a_home_is_made_for_this_user_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "deep" / "home"))
    assert make_home() == tmp_path / "deep" / "home"
    assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_is_an_error_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    home = str(tmp_path / "file" / "home")
    monkeypatch.setenv("METAFLOW_HERA_HOME", home)
    with pytest.raises(ConfigurationError, match="METAFLOW_HERA_HOME"):
        make_home()
    with pytest.raises(ConfigurationError, match="METAFLOW_HERA_HOME"):
        resolve_target(start=True, env={"METAFLOW_HERA_HOME": home})


def test_a_server_that_does_not_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match="mfhera local start"):
        resolve_target(start=False, env={"METAFLOW_HERA_HOME": str(tmp_path)})
