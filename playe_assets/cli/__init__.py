"""The command line `playe`: thin; every command imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import importlib
import sys

import click

_COMMANDS = {
    "demo": ("playe_assets.cli.demo:demo", "Examine a small evidence folder from drop to report."),
    "up": ("playe_assets.cli.serve:up", "Run the webserver and the daemon; watch the inbox."),
    "case": ("playe_assets.cli.case:case", "Submit, list, show and verify cases."),
    "audit": ("playe_assets.cli.audit:audit", "Verify, watch, prove and export the custody log."),
    "report": ("playe_assets.cli.report:report", "Verify a report offline; run it again."),
    "models": ("playe_assets.cli.models:models", "Model cards and weight files."),
}


class _Lazy(click.Group):
    """Commands by name; a command's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line[1]) for name, line in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="playe")
@click.option("--language", type=click.Choice(["en", "ru"]), envvar="PLAYE_LANGUAGE", default="en",
              show_default=True, help="Language of the messages.")  # fmt: skip
@click.pass_context
def playe(ctx: click.Context, language: str) -> None:
    """PLAYE: examine photographs and video so that a stranger can check every pixel."""
    ctx.ensure_object(dict)["language"] = language


def main() -> None:
    """The entry point: our own errors end with a sentence and exit code 2, never with a traceback."""
    from playe_assets.core.errors import PlayeError

    chosen = {"language": "en"}  # filled in by `playe` itself, so that a refusal speaks what was asked for
    try:
        playe(standalone_mode=False, obj=chosen)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except PlayeError as problem:
        click.echo(f"playe: {problem.message(chosen['language'])}", err=True)
        sys.exit(2)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
