"""Educators, cohorts, candidates and links; published results; reasons of corrections; banks educators write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the tables, and to marks why they were corrected and which earlier mark they bring back."""
    op.create_table(
        "bank_drafts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("discipline", sa.String(length=60), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_drafts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cohorts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohorts")),
        sa.UniqueConstraint("name", name=op.f("uq_cohorts_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "educators",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('educator', 'administrator')", name=op.f("ck_educators_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_educators")),
        sa.UniqueConstraint("login", name=op.f("uq_educators_login")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bank_releases",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("bank_id", ROW_ID, nullable=False),
        sa.Column("discipline", sa.String(length=60), nullable=False),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["bank_id"], ["question_banks.id"], name=op.f("fk_bank_releases_bank_id_question_banks")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_releases")),
        sa.UniqueConstraint("discipline", "version", name=op.f("uq_bank_releases_discipline_version")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bank_releases_published_at", "bank_releases", ["published_at"], unique=False)
    op.create_table(
        "candidates",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("cohort_id", ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("external_id", sa.String(length=120), nullable=True),
        sa.Column("extra_time", sa.Double(), nullable=False),
        sa.Column("typed_answers", sa.Boolean(), nullable=False),
        sa.Column("captions", sa.Boolean(), nullable=False),
        sa.Column("slower_voice", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("extra_time >= 1 AND extra_time <= 4", name=op.f("ck_candidates_extra_time")),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohorts.id"], name=op.f("fk_candidates_cohort_id_cohorts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidates")),
        sa.UniqueConstraint("cohort_id", "email", name=op.f("uq_candidates_cohort_id_email")),
        sa.UniqueConstraint("cohort_id", "external_id", name=op.f("uq_candidates_cohort_id_external_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "invitations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("cohort_id", ROW_ID, nullable=True),
        sa.Column("candidate_id", ROW_ID, nullable=True),
        sa.Column("bank_id", ROW_ID, nullable=True),
        sa.Column("discipline", sa.String(length=60), nullable=False),
        sa.Column("area", sa.String(length=60), nullable=True),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts_allowed", sa.Integer(), nullable=False),
        sa.Column("attempts_used", sa.Integer(), nullable=False),
        sa.Column("show_results", sa.Boolean(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('practice', 'exam', 'talk')", name=op.f("ck_invitations_mode")),
        sa.CheckConstraint("attempts_allowed >= 1 AND attempts_used >= 0", name=op.f("ck_invitations_attempts")),
        sa.ForeignKeyConstraint(["bank_id"], ["question_banks.id"], name=op.f("fk_invitations_bank_id_question_banks")),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_invitations_candidate_id_candidates"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohorts.id"], name=op.f("fk_invitations_cohort_id_cohorts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_invitations_candidate_id"), "invitations", ["candidate_id"], unique=False)
    op.create_index(op.f("ix_invitations_cohort_id"), "invitations", ["cohort_id"], unique=False)
    op.create_table(
        "sittings",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("invitation_id", ROW_ID, nullable=True),
        sa.Column("cohort_id", ROW_ID, nullable=True),
        sa.Column("candidate_id", ROW_ID, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("results_published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_sittings_candidate_id_candidates"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["cohorts.id"], name=op.f("fk_sittings_cohort_id_cohorts"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["invitation_id"],
            ["invitations.id"],
            name=op.f("fk_sittings_invitation_id_invitations"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_sittings_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sittings")),
    )
    op.create_index(op.f("ix_sittings_candidate_id"), "sittings", ["candidate_id"], unique=False)
    op.create_index(op.f("ix_sittings_cohort_id"), "sittings", ["cohort_id"], unique=False)
    op.create_index(op.f("ix_sittings_invitation_id"), "sittings", ["invitation_id"], unique=False)
    op.add_column("evaluations", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("evaluations", sa.Column("restores_id", ROW_ID, nullable=True))


def downgrade() -> None:
    """Drops what was added."""
    op.drop_column("evaluations", "restores_id")
    op.drop_column("evaluations", "reason")
    op.drop_index(op.f("ix_sittings_invitation_id"), table_name="sittings")
    op.drop_index(op.f("ix_sittings_cohort_id"), table_name="sittings")
    op.drop_index(op.f("ix_sittings_candidate_id"), table_name="sittings")
    op.drop_table("sittings")
    op.drop_index(op.f("ix_invitations_cohort_id"), table_name="invitations")
    op.drop_index(op.f("ix_invitations_candidate_id"), table_name="invitations")
    op.drop_table("invitations")
    op.drop_table("candidates")
    op.drop_index("ix_bank_releases_published_at", table_name="bank_releases")
    op.drop_table("bank_releases")
    op.drop_table("educators")
    op.drop_table("cohorts")
    op.drop_table("bank_drafts")
