"""The fold: closed rounds in slot order to evidence, incidents and transitions. Pure."""
