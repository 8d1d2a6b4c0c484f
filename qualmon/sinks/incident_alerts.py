"""The alerts on incidents, and the recordings that they read.

Three recordings carry the incident alerts:

- ``qualmon:incident_level:live``: the level, with the exporter that said it;
- ``qualmon:incident_info:seen``: when each description of an incident was last exported, so that
  the newest one can be told from those that it replaced;
- ``qualmon:incident_level:held``: the level by incident; while an exporter is not up, the last
  one that it told, for `hold`.

An alert's labels are the incident's id and the severity alone: all that may move (node, cause,
share) is an annotation, so one incident is one fingerprint. Only PromQL that Prometheus 2.42
and 3.x share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qualmon.sinks.alert_table import Alert, Recording, RuleOptions

#: Firing or recovering: the incident is over when it is resolved, not before.
_FIRING = "qualmon:incident_level:held >= 2"


def recordings(options: RuleOptions) -> tuple[Recording, ...]:
    """The recordings that the incident alerts read, in order of evaluation."""
    held = (
        "max by (incident) (\n"
        "  qualmon:incident_level:live\n"
        "  or (\n"
        f"    last_over_time(qualmon:incident_level:live[{options.hold}])\n"
        "      unless on (job, instance) (up == 1)\n"
        "      unless on (incident) qualmon:incident_level:live\n"
        "  )\n"
        ")"
    )
    return (
        Recording(
            "qualmon:incident_level:live",
            "max by (incident, job, instance) (qualmon_incident_level)",
        ),
        Recording(
            "qualmon:incident_info:seen",
            "max by (incident, kind, cause, severity, scope, family, onset) "
            "(timestamp(qualmon_incident_info))",
        ),
        Recording("qualmon:incident_level:held", held),
    )


def incident_alerts(options: RuleOptions) -> tuple[Alert, ...]:
    """One alert per open incident: a page or a ticket, by what is known of it last."""
    words = _incident_words(options)
    is_page = _newest_is_page(options.hold)
    page = Alert(
        "QualmonRegressionPage",
        "page",
        f"{_FIRING}\nand on (incident)\n{is_page}",
        summary=f"LLM answers are worse on {words['node']}",
        description=_description(words, options.hold),
        keep=options.keep_firing_for,
        annotations=words,
    )
    ticket = replace(
        page,
        name="QualmonRegressionTicket",
        severity="ticket",
        expr=f"{_FIRING}\nunless on (incident)\n{is_page}",
        summary=f"LLM answers may be worse on {words['node']}",
    )
    return page, ticket


def _newest_is_page(hold: str) -> str:
    seen = "qualmon:incident_info:seen"
    return (
        "(\n"
        f'  max by (incident) (last_over_time({seen}{{severity="page"}}[{hold}]))\n'
        f"    == max by (incident) (last_over_time({seen}[{hold}]))\n"
        ")"
    )


def _incident_words(options: RuleOptions) -> dict[str, str]:
    """Annotations of an incident. Each asks Prometheus for what is known of it now."""
    return {
        "node": _info(options.hold, "{{ .Labels.scope }}"),
        "share": _share(options.hold, "qualmon_bad_share_ratio"),
        "share_low": _share(options.hold, "qualmon_bad_share_low_ratio"),
        "share_high": _share(options.hold, "qualmon_bad_share_high_ratio"),
        "onset": _info(options.hold, "{{ .Labels.onset }}"),
        "cause": _info(options.hold, "{{ .Labels.cause }}"),
        "kind": _info(options.hold, "{{ .Labels.kind }}"),
        "family": _info(options.hold, "{{ .Labels.family }}"),
        "dashboard_url": f"{options.external_url.rstrip('/')}/incidents/{{{{ $labels.incident }}}}",
    }


def _description(words: Mapping[str, str], hold: str) -> str:
    place = "{{ .Labels.scope }}, family {{ .Labels.family }}, since {{ .Labels.onset }}"
    return (
        f"{_info(hold, f'{place}; likely cause: {{{{ .Labels.cause }}}}')}. "
        f"Share of bad answers {words['share']}, "
        f"95 % interval {words['share_low']} to {words['share_high']}. "
        "Incident {{ $labels.incident }}."
    )


def _info(hold: str, text: str) -> str:
    """Template that shows `text` with the labels of an incident's newest description."""
    return _lookup(f"topk(1, last_over_time(qualmon:incident_info:seen{{incident=%q}}[{hold}]))",
                   f"{{{{ with first . }}}}{text}{{{{ end }}}}", "unknown")  # fmt: skip


def _share(hold: str, metric: str) -> str:
    return _lookup(f"max(last_over_time({metric}{{incident=%q}}[{hold}]))",
                   "{{ . | first | value | humanizePercentage }}", "not yet known")  # fmt: skip


def _lookup(query: str, found: str, otherwise: str) -> str:
    """Template that renders `found` with a query's result, `otherwise` without one."""
    ask = f"printf `{query}` $labels.incident | query"
    return f"{{{{ with {ask} }}}}{found}{{{{ else }}}}{otherwise}{{{{ end }}}}"
