"""`python -m examples.game_library`: the story, on the embedded server."""

from __future__ import annotations

import os
import sys

from evervec import EvervecError
from examples import stage
from examples.game_library import story


def main() -> int:
    """Run it; the process's return code."""
    console = stage.console()
    profiles = os.environ.setdefault("EVERVEC_PROFILES", story.PROFILES[stage.model()])
    try:
        url = stage.database(story.NAME)
        story.run(console, url)
    except EvervecError as error:
        for line in (error.message, error.detail, error.hint):
            if line:
                print(line, file=sys.stderr)
        return 1
    stage.how_to_go_on(
        console,
        url,
        f"GAME_LIBRARY_URL=$EVERVEC_DATABASE_URL EVERVEC_PROFILES={profiles} \\",
        f"    {stage.program('flask')} --app 'examples.game_library.app:create_app()' run",
    )
    return 0


sys.exit(main())
