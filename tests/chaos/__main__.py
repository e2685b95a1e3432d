"""`python -m tests.chaos`: break everything for a while, and see that nothing was lost."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import Any, NoReturn

import click

from tests.chaos.campaign import Plan, run
from tests.chaos.report import tell
from tests.chaos.schedule import RABBITMQ, REDIS
from tests.support.rabbitmq import absence


def main() -> None:
    """Exit with 0 only if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of faults (60)")
    parser.add_argument("--seed", type=int, help="of schedule and load; a random one, printed")
    parser.add_argument("--flows", type=int, default=45, help="in flight (45)")
    parser.add_argument("--broker", choices=[REDIS, RABBITMQ], default=REDIS)
    arguments = parser.parse_args()
    if arguments.broker == RABBITMQ and (why := absence()):
        parser.error(why)
    seed = SystemRandom().randrange(100_000) if arguments.seed is None else arguments.seed
    # So that everything is ended, as at Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    click.echo(
        f"chaos: seed {seed}, {arguments.duration:.0f} s, broker {arguments.broker}, "
        f"logs in {directory}"
    )
    plan = Plan(
        seed=seed, duration=arguments.duration, flows=arguments.flows, broker=arguments.broker
    )
    outcome = run(plan, directory, click.echo)
    tell(outcome, click.echo)
    if outcome.violations:
        sys.exit(1)
    shutil.rmtree(directory)  # what would have been evidence


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
