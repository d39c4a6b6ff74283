"""A function of a team's own in Python."""


def echo(event, context):
    return {"from": "python", "event": event}
