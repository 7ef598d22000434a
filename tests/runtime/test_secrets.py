"""Secrets at rest: opened by the right key for the right row, and by nothing else."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from runtime.secrets import MasterKeys, NoMasterKey, Sealed, SecretsError, add_master_key, new_master_key

KEY = SecretStr("sk-ant-very-secret")


def keys(*written: str) -> MasterKeys:
    return MasterKeys(SecretStr(",".join(written)))


def test_a_secret_opens_for_its_own_row_only():
    master = keys(new_master_key())
    sealed = master.seal(KEY, "ai_provider_keys/1")
    assert master.open(sealed, "ai_provider_keys/1") == KEY
    with pytest.raises(SecretsError, match="damaged"):
        master.open(sealed, "ai_provider_keys/2")


def test_nothing_of_a_secret_can_be_read_and_no_two_forms_are_alike():
    master = keys(new_master_key())
    first, second = (master.seal(KEY, "row") for _ in range(2))
    assert b"secret" not in first.data
    assert first.data != second.data


def test_a_damaged_secret_is_refused():
    master = keys(new_master_key())
    sealed = master.seal(KEY, "row")
    for position in range(len(sealed.data)):
        damaged = bytearray(sealed.data)
        damaged[position] ^= 1
        with pytest.raises(SecretsError, match="damaged"):
            master.open(Sealed(bytes(damaged), sealed.master_key_id), "row")


def test_the_first_key_seals_and_older_ones_still_open():
    old, new = new_master_key(), new_master_key()
    before = keys(old).seal(KEY, "row")
    master = keys(new, old)
    assert master.open(before, "row") == KEY
    assert master.seal(KEY, "row").master_key_id == keys(new).current_id != before.master_key_id


def test_a_key_that_is_not_here_is_named_by_its_id_and_nothing_secret_is_told():
    other, own = new_master_key(), new_master_key()
    sealed = keys(other).seal(KEY, "ai_provider_keys/1")
    with pytest.raises(SecretsError) as refused:
        keys(own).open(sealed, "ai_provider_keys/1")
    text = str(refused.value)
    assert sealed.master_key_id in text
    assert "PERDURE_MASTER_KEYS" in text
    assert not any(secret in text for secret in (other, own, "very-secret"))


def test_without_a_master_key_nothing_is_stored():
    with pytest.raises(NoMasterKey, match="PERDURE_MASTER_KEYS"):
        MasterKeys().seal(KEY, "row")


@pytest.mark.parametrize("written", ["short", "x" * 44, "not base64 at all!", "A" * 43 + ",short"])
def test_what_is_no_key_is_refused_without_being_quoted(written: str):
    with pytest.raises(SecretsError) as refused:
        keys(*written.split(","))
    assert "short" not in str(refused.value)
    assert "not base64 at all" not in str(refused.value)


def test_a_key_added_to_the_file_is_used_by_processes_that_run(tmp_path: Path):
    file = tmp_path / "master.key"
    first = add_master_key(file)
    master = MasterKeys(file=file)
    before = master.seal(KEY, "row")
    second = add_master_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (first, second) == (before.master_key_id, master.seal(KEY, "row").master_key_id)
    assert master.open(before, "row") == KEY


def test_what_another_process_sealed_with_a_key_that_was_just_added_opens(tmp_path: Path):
    file = tmp_path / "master.key"
    add_master_key(file)
    reader, writer = MasterKeys(file=file), MasterKeys(file=file)
    add_master_key(file)
    assert reader.open(writer.seal(KEY, "row"), "row") == KEY


def test_a_file_that_is_not_there_is_said_at_the_start(tmp_path: Path):
    with pytest.raises(SecretsError, match="cannot be read"):
        MasterKeys(file=tmp_path / "none")
