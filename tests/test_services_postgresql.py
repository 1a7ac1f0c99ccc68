"""postgresql through netrecord: psql and pgbench."""
import pytest

from harness import logs
from harness.services import Postgres
from harness.tap import Tap
from harness.wire import assert_recorded

SQL = """
create table t (id int primary key, body text);
insert into t select i, repeat(chr(65 + i % 26), i) from generate_series(1, 2000) i;
select id, length(body), md5(body) from t order by id;
copy (select * from t where id > 1900) to stdout;
begin; delete from t where id % 2 = 0; select count(*) from t; rollback;
select count(*), sum(length(body)) from t;
drop table t;
"""


@pytest.fixture
def postgres(folder):
    with Postgres(folder / "postgres") as server:
        yield server


def test_psql_and_pgbench_as_without(postgres, netrecord, logroot):
    with Tap(postgres.address) as behind:
        nr = netrecord(behind.address)
        with Tap(nr.address) as front:
            port = front.address[1]
            direct = postgres.psql(postgres.port, SQL)
            assert len(direct) > 100_000
            assert postgres.psql(port, SQL) == direct
            postgres.pgbench(port, "-i", "-q", "-s", "1")
            done = postgres.pgbench(port, "-n", "-c", "8", "-j", "2", "-t", "50", "-M", "prepared")
            assert b"number of transactions actually processed: 400/400" in done.stdout
            front.wait_idle()
            behind.wait_idle()
            nr.stop()
            assert_recorded(logroot, front, behind, least=10)
    assert b"generate_series" in logs.load(logroot, 1).bytes("c")
