"""The forms of the subscription desk: for each kind of change its action, its words and what draws it."""

from __future__ import annotations

from core.actions import subscriptions
from core.ui.desk_asked import Form
from core.ui.desk_service import draw_cancel, draw_pause, draw_resume, draw_start, draw_trial, draw_undo
from core.ui.desk_terms import draw_addon, draw_coupon, draw_coupon_end, draw_plan, draw_quantity
from core.ui.text import t

FORMS: dict[str, Form] = {
    "change_price": Form(
        subscriptions.change_price, ":material/swap_vert:", lambda: t("Change plan"), lambda: t("Change plan or interval"),
        lambda: t("Change plan"), lambda: t("The plan is changed"), draw_plan,
    ),
    "change_quantity": Form(
        subscriptions.change_quantity, ":material/group_add:", lambda: t("Quantity"), lambda: t("Change quantity"),
        lambda: t("Change quantity"), lambda: t("The quantity is changed"), draw_quantity,
    ),
    "change_addon": Form(
        subscriptions.change_addon, ":material/extension:", lambda: t("Add-on"), lambda: t("Change an add-on"),
        lambda: t("Change add-on"), lambda: t("The add-on is changed"), draw_addon,
    ),
    "grant_coupon": Form(
        subscriptions.grant_coupon, ":material/redeem:", lambda: t("Coupon"), lambda: t("Give a coupon"),
        lambda: t("Give coupon"), lambda: t("The coupon is given"), draw_coupon,
    ),
    "cancel": Form(
        subscriptions.cancel, ":material/event_busy:", lambda: t("Cancel …"), lambda: t("Cancel the subscription"),
        lambda: t("Cancel the subscription"), lambda: t("The subscription is cancelled"), draw_cancel,
    ),
    "pause": Form(
        subscriptions.pause, ":material/pause_circle:", lambda: t("Pause"), lambda: t("Pause service"),
        lambda: t("Pause"), lambda: t("The pause is planned"), draw_pause,
    ),
    "resume": Form(
        subscriptions.resume, ":material/play_circle:", lambda: t("Resume"), lambda: t("Resume service"),
        lambda: t("Resume"), lambda: t("Service resumes"), draw_resume,
    ),
    "change_trial": Form(
        subscriptions.change_trial, ":material/hourglass:", lambda: t("Change trial"), lambda: t("Extend or end the trial"),
        lambda: t("Change trial"), lambda: t("The trial is changed"), draw_trial,
    ),
    "end_coupon": Form(
        subscriptions.end_coupon, ":material/money_off:", lambda: t("End a coupon"), lambda: t("End a coupon"),
        lambda: t("End coupon"), lambda: t("The coupon ends"), draw_coupon_end,
    ),
    "undo": Form(
        subscriptions.undo, ":material/undo:", lambda: t("Undo a change"), lambda: t("Undo a change"),
        lambda: t("Undo"), lambda: t("The change is undone"), draw_undo,
    ),
    "start": Form(
        subscriptions.start, ":material/add_circle:", lambda: t("New subscription"), lambda: t("Start a subscription"),
        lambda: t("Start"), lambda: t("The subscription is started"), draw_start,
    ),
}  # fmt: skip
