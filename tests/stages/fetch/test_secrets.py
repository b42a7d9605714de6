import traceback

import pytest

from stages.fetch.materials_project_api import MaterialsProjectApi
from stages.fetch.retries import RetryPolicy
from stages.shared.errors import StageError
from tests.stages.fetch.conftest import InterruptedRun
from tests.stages.fetch.loopback import HTML, Reply, Request, serve
from tests.stages.fetch.materials_project import KEY, VERSION

QUICK = RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.01)


def test_the_key_was_sent_and_is_in_no_file_and_no_line_of_either_run(interrupted_run: InterruptedRun) -> None:
    assert any(request.headers.get("X-Api-Key") == KEY for request in interrupted_run.first_requests)
    assert interrupted_run.files
    assert [name for name, content in interrupted_run.files.items() if KEY.encode() in content] == []
    assert KEY not in interrupted_run.output


@pytest.mark.parametrize(
    "fault",
    [Reply(status=400), Reply(status=401), Reply(status=403), Reply(status=422), Reply(status=500), HTML],
    ids=lambda reply: str(reply.status),
)
def test_the_key_is_in_no_traceback(fault: Reply) -> None:
    def answer(request: Request) -> Reply:
        echo = Reply(KEY.encode() + fault.body, fault.status, fault.headers)
        heartbeat = b'{"db_version": "%s", "version": "0.87.3", "access_controlled_batch_ids": []}' % VERSION.encode()
        return Reply(heartbeat) if request.path == "/heartbeat" else echo

    with serve(answer) as server:
        api = MaterialsProjectApi(KEY, server.url, QUICK)
        with pytest.raises(StageError) as caught:
            api.summaries(["mp-149"])
    assert KEY not in "".join(traceback.format_exception(caught.value))
