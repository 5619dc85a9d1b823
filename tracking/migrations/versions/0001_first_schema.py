"""first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from tracking.storage.db import Moment

OVERLAP = "two assignments of one number overlap"

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column(
            "name_key",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("domain", sa.String(length=200), nullable=True),
        sa.Column("industry", sa.String(length=200), nullable=True),
        sa.Column("region", sa.String(length=200), nullable=True),
        sa.Column("merged_into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("merged_into_id <> id", name=op.f("ck_account_not_merged_into_itself")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["account.id"], name=op.f("fk_account_merged_into_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("external_id", name=op.f("uq_account_external_id")),
    )
    op.create_index("ix_account_domain", "account", ["domain", "merged_into_id"], unique=False)
    op.create_index("ix_account_merged_name", "account", ["merged_into_id", "name_key", "id"], unique=False)
    op.create_index("ix_account_name_key", "account", ["name_key"], unique=False)

    op.create_table(
        "annotation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_annotation_ends_after_start")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("last_used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_token_prefix")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=200), nullable=False),
        sa.Column(
            "direction",
            sa.Enum(
                "inbound", "outbound", name="direction", native_enum=False, create_constraint=True, length=16
            ),
            nullable=False,
        ),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("budget_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("utm_source", sa.String(length=200), nullable=True),
        sa.Column("utm_medium", sa.String(length=200), nullable=True),
        sa.Column("utm_campaign", sa.String(length=200), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("budget_minor >= 0", name=op.f("ck_campaign_budget_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("name", name=op.f("uq_campaign_name")),
    )
    op.create_table(
        "exchange_rate",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.CheckConstraint("rate > 0", name=op.f("ck_exchange_rate_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_rate")),
        sa.UniqueConstraint("currency", "day", name=op.f("uq_exchange_rate_currency_day")),
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("finished_at", Moment(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
    )
    op.create_table(
        "inbox_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("event_key", sa.String(length=200), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("processed_at", Moment(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_event")),
        sa.UniqueConstraint("provider", "event_key", name=op.f("uq_inbox_event_provider_event_key")),
    )
    op.create_index("ix_inbox_event_received_at", "inbox_event", ["received_at"], unique=False)
    op.create_index(
        "ix_inbox_event_unprocessed",
        "inbox_event",
        ["provider", "event_key"],
        unique=False,
        sqlite_where=sa.text("processed_at IS NULL"),
        postgresql_where=sa.text("processed_at IS NULL"),
    )

    op.create_table(
        "indicator",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("unit", sa.String(length=200), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicator")),
        sa.UniqueConstraint("name", "day", name=op.f("uq_indicator_name_day")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_fingerprint", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "tracking_number",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("destination", sa.String(length=16), nullable=True),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "active",
                "disabled",
                name="numberstatus",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_number")),
        sa.UniqueConstraint("number", name=op.f("uq_tracking_number_number")),
    )
    op.create_table(
        "ad_material",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column(
            "medium",
            sa.Enum(
                "online",
                "email",
                "print",
                "fair",
                "other",
                name="medium",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("edition", sa.String(length=200), nullable=True),
        sa.Column("print_run", sa.Integer(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("expires_on >= issued_on", name=op.f("ck_ad_material_expires_after_issue")),
        sa.CheckConstraint("print_run > 0", name=op.f("ck_ad_material_print_run_positive")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_ad_material_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ad_material")),
        sa.UniqueConstraint("campaign_id", "name", name=op.f("uq_ad_material_campaign_id_name")),
    )
    op.create_index("ix_ad_material_campaign_id", "ad_material", ["campaign_id"], unique=False)

    op.create_table(
        "contact",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("merged_into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("merged_into_id <> id", name=op.f("ck_contact_not_merged_into_itself")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_contact_account_id")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["contact.id"], name=op.f("fk_contact_merged_into_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
    )
    op.create_index("ix_contact_account_id", "contact", ["account_id"], unique=False)
    op.create_index(
        "ix_contact_merged_into_id",
        "contact",
        ["merged_into_id"],
        unique=False,
        sqlite_where=sa.text("merged_into_id IS NOT NULL"),
        postgresql_where=sa.text("merged_into_id IS NOT NULL"),
    )

    op.create_table(
        "deal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "lead",
                "qualified",
                "opportunity",
                "won",
                "lost",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("lead_at", Moment(), nullable=True),
        sa.Column("qualified_at", Moment(), nullable=True),
        sa.Column("opportunity_at", Moment(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("margin_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "stage NOT IN ('won', 'lost') OR closed_at IS NOT NULL",
            name=op.f("ck_deal_closed_deals_have_a_date"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_deal_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deal")),
        sa.UniqueConstraint("external_id", name=op.f("uq_deal_external_id")),
    )
    op.create_index("ix_deal_account_id", "deal", ["account_id"], unique=False)
    op.create_index("ix_deal_closed_at", "deal", ["closed_at"], unique=False)

    op.create_table(
        "idempotency_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.id"], name=op.f("fk_idempotency_key_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_key")),
        sa.UniqueConstraint("token_id", "key", name=op.f("uq_idempotency_key_token_id_key")),
    )
    op.create_table(
        "visit_count",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("channel", sa.String(length=200), nullable=True),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.CheckConstraint("visits >= 0", name=op.f("ck_visit_count_not_negative")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_visit_count_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_count")),
        sa.UniqueConstraint(
            "day", "campaign_id", "channel", name=op.f("uq_visit_count_day_campaign_id_channel")
        ),
    )
    op.create_table(
        "contact_point",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "phone",
                "email",
                "external",
                name="pointkind",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("value_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_point_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_point")),
        sa.UniqueConstraint("kind", "value_hash", name=op.f("uq_contact_point_kind_value_hash")),
    )
    op.create_index("ix_contact_point_contact_id", "contact_point", ["contact_id"], unique=False)

    op.create_table(
        "cost",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ad_material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("hourly_rate_minor", sa.BigInteger(), nullable=True),
        sa.Column("category", sa.String(length=200), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("source_key", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "(minutes IS NULL) = (hourly_rate_minor IS NULL)", name=op.f("ck_cost_hours_have_a_rate")
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_cost_not_negative")),
        sa.CheckConstraint("period_end > period_start", name=op.f("ck_cost_ends_after_start")),
        sa.ForeignKeyConstraint(["ad_material_id"], ["ad_material.id"], name=op.f("fk_cost_ad_material_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_cost_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost")),
        sa.UniqueConstraint("source_key", name=op.f("uq_cost_source_key")),
    )
    op.create_index("ix_cost_campaign_id", "cost", ["campaign_id"], unique=False)
    op.create_index("ix_cost_period_start", "cost", ["period_start"], unique=False)

    op.create_table(
        "number_assignment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tracking_number_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ad_material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=True),
        sa.Column("quarantined_until", Moment(), nullable=True),
        sa.CheckConstraint(
            "(ends_at IS NULL) = (quarantined_until IS NULL)",
            name=op.f("ck_number_assignment_quarantine_follows_release"),
        ),
        sa.CheckConstraint("ends_at >= starts_at", name=op.f("ck_number_assignment_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["ad_material_id"], ["ad_material.id"], name=op.f("fk_number_assignment_ad_material_id")
        ),
        sa.ForeignKeyConstraint(
            ["tracking_number_id"],
            ["tracking_number.id"],
            name=op.f("fk_number_assignment_tracking_number_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_assignment")),
    )
    op.create_index(
        "ix_number_assignment_ad_material_id", "number_assignment", ["ad_material_id"], unique=False
    )
    op.create_index(
        "ix_number_assignment_number_time",
        "number_assignment",
        ["tracking_number_id", "starts_at"],
        unique=False,
    )
    op.create_index(
        "uq_number_assignment_open",
        "number_assignment",
        ["tracking_number_id"],
        unique=True,
        sqlite_where=sa.text("ends_at IS NULL"),
        postgresql_where=sa.text("ends_at IS NULL"),
    )

    op.create_table(
        "call",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("provider_call_id", sa.String(length=200), nullable=False),
        sa.Column("dialled", sa.String(length=80), nullable=False),
        sa.Column("tracking_number_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("assignment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("caller", sa.LargeBinary(), nullable=True),
        sa.Column("caller_hash", sa.String(length=64), nullable=True),
        sa.Column(
            "caller_state",
            sa.Enum(
                "valid",
                "possible",
                "withheld",
                "malformed",
                name="numberstate",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("caller_name", sa.String(length=200), nullable=True),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("duration_s", sa.Integer(), nullable=True),
        sa.Column("talk_s", sa.Integer(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "ringing",
                "answered",
                "missed",
                "voicemail",
                "completed",
                name="callstatus",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column(
            "lead_status",
            sa.Enum(
                "good_lead",
                "not_a_lead",
                name="leadstatus",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=True,
        ),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("spam", sa.Boolean(), nullable=False),
        sa.CheckConstraint("duration_s >= 0", name=op.f("ck_call_duration_not_negative")),
        sa.CheckConstraint("talk_s >= 0", name=op.f("ck_call_talk_not_negative")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["number_assignment.id"], name=op.f("fk_call_assignment_id")
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_call_contact_id")),
        sa.ForeignKeyConstraint(
            ["tracking_number_id"], ["tracking_number.id"], name=op.f("fk_call_tracking_number_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
        sa.UniqueConstraint("provider", "provider_call_id", name=op.f("uq_call_provider_provider_call_id")),
    )
    op.create_index("ix_call_assignment_time", "call", ["assignment_id", "started_at"], unique=False)
    op.create_index("ix_call_caller_hash", "call", ["caller_hash"], unique=False)
    op.create_index("ix_call_contact_time", "call", ["contact_id", "started_at"], unique=False)
    op.create_index("ix_call_dialled", "call", ["dialled"], unique=False)
    op.create_index("ix_call_lead_time", "call", ["lead_status", "started_at"], unique=False)
    op.create_index("ix_call_number_time", "call", ["tracking_number_id", "started_at"], unique=False)
    op.create_index(
        "ix_call_spam_time",
        "call",
        ["started_at"],
        unique=False,
        sqlite_where=sa.text("spam IS 1"),
        postgresql_where=sa.text("spam IS true"),
    )
    op.create_index("ix_call_started_at", "call", ["started_at"], unique=False)
    op.create_index("ix_call_status_time", "call", ["status", "started_at"], unique=False)

    op.create_table(
        "answer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("call_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "answered",
                "not_asked",
                "declined",
                "unknown",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("channel", sa.String(length=200), nullable=True),
        sa.Column("verbatim", sa.String(length=2000), nullable=True),
        sa.Column("corrects_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("source_key", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "outcome = 'answered' OR (campaign_id IS NULL AND channel IS NULL)",
            name=op.f("ck_answer_only_answers_name_a_source"),
        ),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_answer_call_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_answer_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_answer_contact_id")),
        sa.ForeignKeyConstraint(["corrects_id"], ["answer.id"], name=op.f("fk_answer_corrects_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_answer_corrects_id")),
        sa.UniqueConstraint("source_key", name=op.f("uq_answer_source_key")),
    )
    op.create_index("ix_answer_asked_by", "answer", ["asked_by"], unique=False)
    op.create_index("ix_answer_asked_at", "answer", ["asked_at"], unique=False)
    op.create_index("ix_answer_call_id", "answer", ["call_id"], unique=False)
    op.create_index("ix_answer_contact_id", "answer", ["contact_id"], unique=False)

    op.create_table(
        "touch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("occurred_at", Moment(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "call",
                "visit",
                "form",
                "message",
                "event",
                "answer",
                "other",
                name="touchkind",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ad_material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("channel", sa.String(length=200), nullable=True),
        sa.Column("call_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("source_key", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["ad_material_id"], ["ad_material.id"], name=op.f("fk_touch_ad_material_id")),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_touch_call_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_touch_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_touch_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touch")),
        sa.UniqueConstraint("call_id", name=op.f("uq_touch_call_id")),
        sa.UniqueConstraint("source_key", name=op.f("uq_touch_source_key")),
    )
    op.create_index("ix_touch_ad_material_id", "touch", ["ad_material_id"], unique=False)
    op.create_index("ix_touch_campaign_time", "touch", ["campaign_id", "occurred_at"], unique=False)
    op.create_index("ix_touch_contact_time", "touch", ["contact_id", "occurred_at"], unique=False)
    op.create_index("ix_touch_occurred_at", "touch", ["occurred_at"], unique=False)

    # One number, one owner at a time. PostgreSQL has a constraint for it (a range over the number
    # itself saves the btree_gist extension); SQLite needs triggers.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE number_assignment ADD CONSTRAINT ex_number_assignment_overlap EXCLUDE USING gist ("
            "int8range(tracking_number_id, tracking_number_id, '[]') WITH &&, "
            "tstzrange(starts_at, ends_at, '[)') WITH &&)"
        )
    else:
        for event in ("INSERT", "UPDATE"):
            op.execute(
                f"CREATE TRIGGER number_assignment_overlap_{event.lower()} BEFORE {event} ON number_assignment "
                "WHEN EXISTS (SELECT 1 FROM number_assignment AS other "
                "WHERE other.tracking_number_id = NEW.tracking_number_id AND other.id IS NOT NEW.id "
                "AND (other.ends_at IS NULL OR other.ends_at > NEW.starts_at) "
                "AND (NEW.ends_at IS NULL OR NEW.ends_at > other.starts_at) "
                "AND other.ends_at IS NOT other.starts_at AND NEW.ends_at IS NOT NEW.starts_at) "
                f"BEGIN SELECT RAISE(ABORT, '{OVERLAP}'); END"
            )


def downgrade() -> None:
    op.drop_table("touch")
    op.drop_table("answer")
    op.drop_table("call")
    op.drop_table("number_assignment")
    op.drop_table("cost")
    op.drop_table("contact_point")
    op.drop_table("visit_count")
    op.drop_table("idempotency_key")
    op.drop_table("deal")
    op.drop_table("contact")
    op.drop_table("ad_material")
    op.drop_table("tracking_number")
    op.drop_table("installation")
    op.drop_table("indicator")
    op.drop_table("inbox_event")
    op.drop_table("import_run")
    op.drop_table("exchange_rate")
    op.drop_table("campaign")
    op.drop_table("api_token")
    op.drop_table("annotation")
    op.drop_table("account")
