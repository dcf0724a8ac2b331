"""The last words of a test run: what could not run and why, so that no skip goes unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> Iterator[None]:
    """Names each reason that kept tests from running, or says that there was none."""
    # As the outermost wrapper this is written below pytest's own summary, where it is seen.
    yield
    reasons = not_run(terminalreporter, config)
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        reasons.append("anything, because no test was found")
    if not reasons:
        terminalreporter.write_line("Everything ran.", green=True, bold=True)
        return
    terminalreporter.section("NOT RUN", sep="!", red=True, bold=True)
    for reason in reasons:
        terminalreporter.write_line(f"NOT RUN: {reason}", red=True, bold=True)


def not_run(reporter: pytest.TerminalReporter, config: pytest.Config) -> list[str]:
    """One line for each reason, with the number of tests that it kept back."""
    skips = Counter(_reason(report) for report in reporter.stats.get("skipped", []))
    lines = [f"{_tests(count)}: {reason}" for reason, count in skips.most_common()]
    # A test whose teardown failed did run; one whose set-up or file failed did not.
    errors = [report for report in reporter.stats.get("error", []) if report.when != "teardown"]
    if errors:
        lines.append(f"{_tests(len(errors))}: an error came first, see above")
    if narrowed := _narrowed(reporter, config):
        lines.append(narrowed)
    if stopped := _stopped(config):
        lines.append(f"the rest of the tests: {stopped}")
    return lines


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped; pytest keeps that as (file, line, reason)."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


def _narrowed(reporter: pytest.TerminalReporter, config: pytest.Config) -> str | None:
    """What the command line left out. Under pytest-xdist only the options themselves tell."""
    for flag, expression in (("-k", config.option.keyword), ("-m", config.option.markexpr)):
        if expression:
            return f"the tests that {flag} '{expression}' leaves out"
    if config.option.collectonly:
        return "any test, they were only collected"
    deselected = len(reporter.stats.get("deselected", []))
    return f"{_tests(deselected)}: deselected on the command line" if deselected else None


def _stopped(config: pytest.Config) -> str | None:
    """Why the run ended before its last test, or None when it did not."""
    session = config.pluginmanager.get_plugin("session")
    cause = session and (session.shouldfail or session.shouldstop)
    return str(cause) if cause else None


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
