CREATE TABLE billing_run (
    id INTEGER NOT NULL,
    through DATE NOT NULL,
    issue_date DATE NOT NULL,
    started_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_billing_run PRIMARY KEY (id),
    CONSTRAINT uq_billing_run_command_id UNIQUE (command_id),
    CONSTRAINT ck_billing_run_through CHECK ("through" IS date("through", '+0 days')),
    CONSTRAINT ck_billing_run_issue_date CHECK ("issue_date" IS date("issue_date", '+0 days')),
    CONSTRAINT ck_billing_run_started_at CHECK (length("started_at") = 26 AND datetime("started_at") IS NOT NULL),
    CONSTRAINT ck_billing_run_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_billing_run_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE TABLE books_closed (
    id INTEGER NOT NULL,
    through DATE NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_books_closed PRIMARY KEY (id),
    CONSTRAINT ck_books_closed_through CHECK ("through" IS date("through", '+0 days')),
    CONSTRAINT ck_books_closed_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_books_closed_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_books_closed_reason CHECK (typeof("reason") = 'text' AND instr("reason", char(0)) = 0)
);

CREATE TABLE books_reopening (
    id INTEGER NOT NULL,
    step TEXT NOT NULL,
    through DATE NOT NULL,
    reason TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_books_reopening PRIMARY KEY (id),
    CONSTRAINT ck_books_reopening_step_value CHECK (step IN ('requested', 'approved', 'declined')),
    CONSTRAINT ck_books_reopening_step CHECK (typeof("step") = 'text' AND instr("step", char(0)) = 0),
    CONSTRAINT ck_books_reopening_through CHECK ("through" IS date("through", '+0 days')),
    CONSTRAINT ck_books_reopening_reason CHECK (typeof("reason") = 'text' AND instr("reason", char(0)) = 0),
    CONSTRAINT ck_books_reopening_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_books_reopening_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE budget (
    id INTEGER NOT NULL,
    month DATE NOT NULL,
    mrr_minor INTEGER NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_budget PRIMARY KEY (id),
    CONSTRAINT ck_budget_month CHECK ("month" IS date("month", '+0 days')),
    CONSTRAINT ck_budget_mrr_minor CHECK (typeof("mrr_minor") = 'integer'),
    CONSTRAINT ck_budget_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_budget_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE command (
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    result_json TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    CONSTRAINT pk_command PRIMARY KEY (id),
    CONSTRAINT ck_command_id CHECK (typeof("id") = 'text' AND instr("id", char(0)) = 0),
    CONSTRAINT ck_command_action CHECK (typeof("action") = 'text' AND instr("action", char(0)) = 0),
    CONSTRAINT ck_command_content_hash CHECK (typeof("content_hash") = 'text' AND instr("content_hash", char(0)) = 0),
    CONSTRAINT ck_command_result_json CHECK (typeof("result_json") = 'text' AND instr("result_json", char(0)) = 0),
    CONSTRAINT ck_command_actor CHECK (typeof("actor") = 'text' AND instr("actor", char(0)) = 0),
    CONSTRAINT ck_command_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL)
);

CREATE TABLE company_profile (
    id INTEGER NOT NULL,
    effective_from DATE NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    legal_name TEXT NOT NULL,
    organisation_number TEXT NOT NULL,
    vat_registered BOOLEAN NOT NULL,
    limited_company BOOLEAN NOT NULL,
    address TEXT NOT NULL,
    postal_code TEXT NOT NULL,
    city TEXT NOT NULL,
    country TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    bank_account TEXT NOT NULL,
    iban TEXT NOT NULL,
    bic TEXT NOT NULL,
    currency TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    terms_days INTEGER NOT NULL,
    late_usage_days INTEGER NOT NULL,
    usage_grace_days INTEGER NOT NULL,
    skip_zero_invoices BOOLEAN NOT NULL,
    invoice_prefix TEXT NOT NULL,
    credit_note_prefix TEXT NOT NULL,
    review_above_minor INTEGER NOT NULL,
    review_lines_above INTEGER NOT NULL,
    support_limit_minor INTEGER NOT NULL,
    admin_limit_minor INTEGER NOT NULL,
    price_notice_consumer_days INTEGER NOT NULL,
    price_notice_business_days INTEGER NOT NULL,
    CONSTRAINT pk_company_profile PRIMARY KEY (id),
    CONSTRAINT ck_company_profile_effective_from CHECK ("effective_from" IS date("effective_from", '+0 days')),
    CONSTRAINT ck_company_profile_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_company_profile_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_company_profile_legal_name CHECK (typeof("legal_name") = 'text' AND instr("legal_name", char(0)) = 0),
    CONSTRAINT ck_company_profile_organisation_number CHECK (typeof("organisation_number") = 'text' AND instr("organisation_number", char(0)) = 0),
    CONSTRAINT ck_company_profile_vat_registered CHECK ("vat_registered" IN (0, 1)),
    CONSTRAINT ck_company_profile_limited_company CHECK ("limited_company" IN (0, 1)),
    CONSTRAINT ck_company_profile_address CHECK (typeof("address") = 'text' AND instr("address", char(0)) = 0),
    CONSTRAINT ck_company_profile_postal_code CHECK (typeof("postal_code") = 'text' AND instr("postal_code", char(0)) = 0),
    CONSTRAINT ck_company_profile_city CHECK (typeof("city") = 'text' AND instr("city", char(0)) = 0),
    CONSTRAINT ck_company_profile_country CHECK (typeof("country") = 'text' AND instr("country", char(0)) = 0),
    CONSTRAINT ck_company_profile_email CHECK (typeof("email") = 'text' AND instr("email", char(0)) = 0),
    CONSTRAINT ck_company_profile_phone CHECK (typeof("phone") = 'text' AND instr("phone", char(0)) = 0),
    CONSTRAINT ck_company_profile_bank_account CHECK (typeof("bank_account") = 'text' AND instr("bank_account", char(0)) = 0),
    CONSTRAINT ck_company_profile_iban CHECK (typeof("iban") = 'text' AND instr("iban", char(0)) = 0),
    CONSTRAINT ck_company_profile_bic CHECK (typeof("bic") = 'text' AND instr("bic", char(0)) = 0),
    CONSTRAINT ck_company_profile_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_company_profile_time_zone CHECK (typeof("time_zone") = 'text' AND instr("time_zone", char(0)) = 0),
    CONSTRAINT ck_company_profile_terms_days CHECK (typeof("terms_days") = 'integer'),
    CONSTRAINT ck_company_profile_late_usage_days CHECK (typeof("late_usage_days") = 'integer'),
    CONSTRAINT ck_company_profile_usage_grace_days CHECK (typeof("usage_grace_days") = 'integer'),
    CONSTRAINT ck_company_profile_skip_zero_invoices CHECK ("skip_zero_invoices" IN (0, 1)),
    CONSTRAINT ck_company_profile_invoice_prefix CHECK (typeof("invoice_prefix") = 'text' AND instr("invoice_prefix", char(0)) = 0),
    CONSTRAINT ck_company_profile_credit_note_prefix CHECK (typeof("credit_note_prefix") = 'text' AND instr("credit_note_prefix", char(0)) = 0),
    CONSTRAINT ck_company_profile_review_above_minor CHECK (typeof("review_above_minor") = 'integer'),
    CONSTRAINT ck_company_profile_review_lines_above CHECK (typeof("review_lines_above") = 'integer'),
    CONSTRAINT ck_company_profile_support_limit_minor CHECK (typeof("support_limit_minor") = 'integer'),
    CONSTRAINT ck_company_profile_admin_limit_minor CHECK (typeof("admin_limit_minor") = 'integer'),
    CONSTRAINT ck_company_profile_price_notice_consumer_days CHECK (typeof("price_notice_consumer_days") = 'integer'),
    CONSTRAINT ck_company_profile_price_notice_business_days CHECK (typeof("price_notice_business_days") = 'integer')
);

CREATE TABLE currency_rate (
    id INTEGER NOT NULL,
    currency TEXT NOT NULL,
    on_date DATE NOT NULL,
    rate TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_currency_rate PRIMARY KEY (id),
    CONSTRAINT uq_currency_rate_currency_on_date_recorded_at UNIQUE (currency, on_date, recorded_at),
    CONSTRAINT ck_currency_rate_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_currency_rate_on_date CHECK ("on_date" IS date("on_date", '+0 days')),
    CONSTRAINT ck_currency_rate_rate CHECK (typeof("rate") = 'text' AND instr("rate", char(0)) = 0),
    CONSTRAINT ck_currency_rate_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_currency_rate_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE customer (
    id INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    created_on DATE NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_customer PRIMARY KEY (id),
    CONSTRAINT uq_customer_external_id UNIQUE (external_id),
    CONSTRAINT ck_customer_external_id CHECK (typeof("external_id") = 'text' AND instr("external_id", char(0)) = 0),
    CONSTRAINT ck_customer_created_on CHECK ("created_on" IS date("created_on", '+0 days')),
    CONSTRAINT ck_customer_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_customer_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_customer_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_customer_command_id ON customer (command_id);

CREATE TABLE import_file (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    mapping_hash TEXT NOT NULL,
    as_of DATE NOT NULL,
    rows INTEGER NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_import_file PRIMARY KEY (id),
    CONSTRAINT uq_import_file_content_hash_mapping_hash UNIQUE (content_hash, mapping_hash),
    CONSTRAINT ck_import_file_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_import_file_content_hash CHECK (typeof("content_hash") = 'text' AND instr("content_hash", char(0)) = 0),
    CONSTRAINT ck_import_file_mapping_hash CHECK (typeof("mapping_hash") = 'text' AND instr("mapping_hash", char(0)) = 0),
    CONSTRAINT ck_import_file_as_of CHECK ("as_of" IS date("as_of", '+0 days')),
    CONSTRAINT ck_import_file_rows CHECK (typeof("rows") = 'integer'),
    CONSTRAINT ck_import_file_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_import_file_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE ledger_seal (
    entry_id INTEGER NOT NULL,
    CONSTRAINT pk_ledger_seal PRIMARY KEY (entry_id),
    CONSTRAINT ck_ledger_seal_entry_id CHECK (typeof("entry_id") = 'integer')
);

CREATE TABLE month_close (
    id INTEGER NOT NULL,
    month DATE NOT NULL,
    definitions TEXT NOT NULL,
    seen_change_id INTEGER NOT NULL,
    content TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_month_close PRIMARY KEY (id),
    CONSTRAINT ck_month_close_month CHECK ("month" IS date("month", '+0 days')),
    CONSTRAINT ck_month_close_definitions CHECK (typeof("definitions") = 'text' AND instr("definitions", char(0)) = 0),
    CONSTRAINT ck_month_close_seen_change_id CHECK (typeof("seen_change_id") = 'integer'),
    CONSTRAINT ck_month_close_content CHECK (typeof("content") = 'text' AND instr("content", char(0)) = 0),
    CONSTRAINT ck_month_close_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_month_close_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE number_series (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    year INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    last INTEGER NOT NULL,
    CONSTRAINT pk_number_series PRIMARY KEY (id),
    CONSTRAINT uq_number_series_kind_year UNIQUE (kind, year),
    CONSTRAINT ck_number_series_last_from_0 CHECK (last >= 0),
    CONSTRAINT ck_number_series_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_number_series_year CHECK (typeof("year") = 'integer'),
    CONSTRAINT ck_number_series_prefix CHECK (typeof("prefix") = 'text' AND instr("prefix", char(0)) = 0),
    CONSTRAINT ck_number_series_last CHECK (typeof("last") = 'integer')
);

CREATE TABLE person (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id),
    CONSTRAINT uq_person_email UNIQUE (email),
    CONSTRAINT ck_person_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_person_email CHECK (typeof("email") = 'text' AND instr("email", char(0)) = 0),
    CONSTRAINT ck_person_role_value CHECK (role IN ('viewer', 'product', 'support', 'finance', 'admin')),
    CONSTRAINT ck_person_role CHECK (typeof("role") = 'text' AND instr("role", char(0)) = 0),
    CONSTRAINT ck_person_active CHECK ("active" IN (0, 1))
);

CREATE TABLE "plan" (
    id INTEGER NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    rank INTEGER NOT NULL,
    archived BOOLEAN NOT NULL,
    CONSTRAINT pk_plan PRIMARY KEY (id),
    CONSTRAINT uq_plan_code UNIQUE (code),
    CONSTRAINT ck_plan_code CHECK (typeof("code") = 'text' AND instr("code", char(0)) = 0),
    CONSTRAINT ck_plan_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_plan_description CHECK (typeof("description") = 'text' AND instr("description", char(0)) = 0),
    CONSTRAINT ck_plan_rank CHECK (typeof("rank") = 'integer'),
    CONSTRAINT ck_plan_archived CHECK ("archived" IN (0, 1))
);

CREATE TABLE reaction_estimate (
    id INTEGER NOT NULL,
    content TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_reaction_estimate PRIMARY KEY (id),
    CONSTRAINT ck_reaction_estimate_content CHECK (typeof("content") = 'text' AND instr("content", char(0)) = 0),
    CONSTRAINT ck_reaction_estimate_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_reaction_estimate_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE revision (
    id INTEGER NOT NULL,
    value INTEGER NOT NULL,
    demo_state TEXT NOT NULL,
    CONSTRAINT pk_revision PRIMARY KEY (id),
    CONSTRAINT ck_revision_id CHECK (typeof("id") = 'integer'),
    CONSTRAINT ck_revision_value CHECK (typeof("value") = 'integer'),
    CONSTRAINT ck_revision_demo_state CHECK (typeof("demo_state") = 'text' AND instr("demo_state", char(0)) = 0)
);

CREATE TABLE saved_view (
    id INTEGER NOT NULL,
    page TEXT NOT NULL,
    name TEXT NOT NULL,
    "query" TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    replaces_id INTEGER,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_saved_view PRIMARY KEY (id),
    CONSTRAINT fk_saved_view_replaces_id_saved_view FOREIGN KEY(replaces_id) REFERENCES saved_view (id),
    CONSTRAINT ck_saved_view_page CHECK (typeof("page") = 'text' AND instr("page", char(0)) = 0),
    CONSTRAINT ck_saved_view_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_saved_view_query CHECK (typeof("query") = 'text' AND instr("query", char(0)) = 0),
    CONSTRAINT ck_saved_view_shared CHECK ("shared" IN (0, 1)),
    CONSTRAINT ck_saved_view_replaces_id CHECK ("replaces_id" IS NULL OR (typeof("replaces_id") = 'integer')),
    CONSTRAINT ck_saved_view_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_saved_view_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_saved_view_replaces_id ON saved_view (replaces_id);

CREATE TABLE scenario (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    replaces_id INTEGER,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_scenario PRIMARY KEY (id),
    CONSTRAINT fk_scenario_replaces_id_scenario FOREIGN KEY(replaces_id) REFERENCES scenario (id),
    CONSTRAINT ck_scenario_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_scenario_content CHECK (typeof("content") = 'text' AND instr("content", char(0)) = 0),
    CONSTRAINT ck_scenario_replaces_id CHECK ("replaces_id" IS NULL OR (typeof("replaces_id") = 'integer')),
    CONSTRAINT ck_scenario_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_scenario_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_scenario_replaces_id ON scenario (replaces_id);

CREATE TABLE time_mark (
    id INTEGER NOT NULL,
    on_date DATE NOT NULL,
    text TEXT NOT NULL,
    replaces_id INTEGER,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_time_mark PRIMARY KEY (id),
    CONSTRAINT fk_time_mark_replaces_id_time_mark FOREIGN KEY(replaces_id) REFERENCES time_mark (id),
    CONSTRAINT ck_time_mark_on_date CHECK ("on_date" IS date("on_date", '+0 days')),
    CONSTRAINT ck_time_mark_text CHECK (typeof("text") = 'text' AND instr("text", char(0)) = 0),
    CONSTRAINT ck_time_mark_replaces_id CHECK ("replaces_id" IS NULL OR (typeof("replaces_id") = 'integer')),
    CONSTRAINT ck_time_mark_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_time_mark_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_time_mark_replaces_id ON time_mark (replaces_id);

CREATE TABLE vat_rule (
    id INTEGER NOT NULL,
    seller_country TEXT NOT NULL,
    customer_kind TEXT NOT NULL,
    customer_country TEXT NOT NULL,
    has_vat_number BOOLEAN,
    category TEXT NOT NULL,
    treatment TEXT NOT NULL,
    rate_ppm INTEGER NOT NULL,
    valid_from DATE NOT NULL,
    valid_to DATE,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_vat_rule PRIMARY KEY (id),
    CONSTRAINT ck_vat_rule_seller_country CHECK (typeof("seller_country") = 'text' AND instr("seller_country", char(0)) = 0),
    CONSTRAINT ck_vat_rule_customer_kind CHECK (typeof("customer_kind") = 'text' AND instr("customer_kind", char(0)) = 0),
    CONSTRAINT ck_vat_rule_customer_country CHECK (typeof("customer_country") = 'text' AND instr("customer_country", char(0)) = 0),
    CONSTRAINT ck_vat_rule_has_vat_number CHECK ("has_vat_number" IN (0, 1)),
    CONSTRAINT ck_vat_rule_category CHECK (typeof("category") = 'text' AND instr("category", char(0)) = 0),
    CONSTRAINT ck_vat_rule_treatment CHECK (typeof("treatment") = 'text' AND instr("treatment", char(0)) = 0),
    CONSTRAINT ck_vat_rule_rate_ppm CHECK (typeof("rate_ppm") = 'integer'),
    CONSTRAINT ck_vat_rule_valid_from CHECK ("valid_from" IS date("valid_from", '+0 days')),
    CONSTRAINT ck_vat_rule_valid_to CHECK ("valid_to" IS date("valid_to", '+0 days')),
    CONSTRAINT ck_vat_rule_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_vat_rule_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE TABLE audit_entry (
    id INTEGER NOT NULL,
    command_id TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_audit_entry PRIMARY KEY (id),
    CONSTRAINT fk_audit_entry_command_id_command FOREIGN KEY(command_id) REFERENCES command (id),
    CONSTRAINT uq_audit_entry_hash UNIQUE (hash),
    CONSTRAINT ck_audit_entry_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0),
    CONSTRAINT ck_audit_entry_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_audit_entry_actor CHECK (typeof("actor") = 'text' AND instr("actor", char(0)) = 0),
    CONSTRAINT ck_audit_entry_action CHECK (typeof("action") = 'text' AND instr("action", char(0)) = 0),
    CONSTRAINT ck_audit_entry_subject CHECK (typeof("subject") = 'text' AND instr("subject", char(0)) = 0),
    CONSTRAINT ck_audit_entry_fields CHECK (typeof("fields") = 'text' AND instr("fields", char(0)) = 0),
    CONSTRAINT ck_audit_entry_previous_hash CHECK (typeof("previous_hash") = 'text' AND instr("previous_hash", char(0)) = 0),
    CONSTRAINT ck_audit_entry_hash CHECK (typeof("hash") = 'text' AND instr("hash", char(0)) = 0)
);

CREATE INDEX ix_audit_entry_command_id ON audit_entry (command_id);

CREATE TABLE billing_hold (
    id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    held BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_billing_hold PRIMARY KEY (id),
    CONSTRAINT fk_billing_hold_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT ck_billing_hold_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_billing_hold_held CHECK ("held" IN (0, 1)),
    CONSTRAINT ck_billing_hold_reason CHECK (typeof("reason") = 'text' AND instr("reason", char(0)) = 0),
    CONSTRAINT ck_billing_hold_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_billing_hold_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_billing_hold_customer_id ON billing_hold (customer_id);

CREATE TABLE coupon (
    id INTEGER NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    rate_ppm INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    duration TEXT NOT NULL,
    periods INTEGER NOT NULL,
    scope TEXT NOT NULL,
    charge_code TEXT NOT NULL,
    plan_id INTEGER,
    includes_true_up BOOLEAN NOT NULL,
    valid_from DATE,
    valid_to DATE,
    archived BOOLEAN NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_coupon PRIMARY KEY (id),
    CONSTRAINT uq_coupon_code UNIQUE (code),
    CONSTRAINT fk_coupon_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id),
    CONSTRAINT ck_coupon_code CHECK (typeof("code") = 'text' AND instr("code", char(0)) = 0),
    CONSTRAINT ck_coupon_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_coupon_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_coupon_rate_ppm CHECK (typeof("rate_ppm") = 'integer'),
    CONSTRAINT ck_coupon_amount_minor CHECK (typeof("amount_minor") = 'integer'),
    CONSTRAINT ck_coupon_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_coupon_duration CHECK (typeof("duration") = 'text' AND instr("duration", char(0)) = 0),
    CONSTRAINT ck_coupon_periods CHECK (typeof("periods") = 'integer'),
    CONSTRAINT ck_coupon_scope CHECK (typeof("scope") = 'text' AND instr("scope", char(0)) = 0),
    CONSTRAINT ck_coupon_charge_code CHECK (typeof("charge_code") = 'text' AND instr("charge_code", char(0)) = 0),
    CONSTRAINT ck_coupon_plan_id CHECK ("plan_id" IS NULL OR (typeof("plan_id") = 'integer')),
    CONSTRAINT ck_coupon_includes_true_up CHECK ("includes_true_up" IN (0, 1)),
    CONSTRAINT ck_coupon_valid_from CHECK ("valid_from" IS date("valid_from", '+0 days')),
    CONSTRAINT ck_coupon_valid_to CHECK ("valid_to" IS date("valid_to", '+0 days')),
    CONSTRAINT ck_coupon_archived CHECK ("archived" IN (0, 1)),
    CONSTRAINT ck_coupon_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_coupon_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_coupon_plan_id ON coupon (plan_id);

CREATE TABLE customer_note (
    id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    text TEXT NOT NULL,
    replaces_id INTEGER,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_customer_note PRIMARY KEY (id),
    CONSTRAINT fk_customer_note_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT fk_customer_note_replaces_id_customer_note FOREIGN KEY(replaces_id) REFERENCES customer_note (id),
    CONSTRAINT ck_customer_note_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_customer_note_text CHECK (typeof("text") = 'text' AND instr("text", char(0)) = 0),
    CONSTRAINT ck_customer_note_replaces_id CHECK ("replaces_id" IS NULL OR (typeof("replaces_id") = 'integer')),
    CONSTRAINT ck_customer_note_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_customer_note_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_customer_note_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_customer_note_command_id ON customer_note (command_id);

CREATE INDEX ix_customer_note_customer_id ON customer_note (customer_id);

CREATE INDEX ix_customer_note_replaces_id ON customer_note (replaces_id);

CREATE TABLE customer_version (
    id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    effective_from DATE NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    undoes_id INTEGER,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    contact TEXT NOT NULL,
    address TEXT NOT NULL,
    postal_code TEXT NOT NULL,
    city TEXT NOT NULL,
    country TEXT NOT NULL,
    emails TEXT NOT NULL,
    phone TEXT NOT NULL,
    language TEXT NOT NULL,
    organisation_number TEXT NOT NULL,
    vat_number TEXT NOT NULL,
    reference TEXT NOT NULL,
    purchase_order TEXT NOT NULL,
    bill_to_id INTEGER,
    einvoice_id TEXT NOT NULL,
    payment_option TEXT NOT NULL,
    channel TEXT NOT NULL,
    terms_days INTEGER,
    separate_invoices BOOLEAN NOT NULL,
    CONSTRAINT pk_customer_version PRIMARY KEY (id),
    CONSTRAINT fk_customer_version_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT fk_customer_version_bill_to_id_customer FOREIGN KEY(bill_to_id) REFERENCES customer (id),
    CONSTRAINT ck_customer_version_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_customer_version_effective_from CHECK ("effective_from" IS date("effective_from", '+0 days')),
    CONSTRAINT ck_customer_version_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_customer_version_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_customer_version_undoes_id CHECK ("undoes_id" IS NULL OR (typeof("undoes_id") = 'integer')),
    CONSTRAINT ck_customer_version_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_customer_version_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_customer_version_contact CHECK (typeof("contact") = 'text' AND instr("contact", char(0)) = 0),
    CONSTRAINT ck_customer_version_address CHECK (typeof("address") = 'text' AND instr("address", char(0)) = 0),
    CONSTRAINT ck_customer_version_postal_code CHECK (typeof("postal_code") = 'text' AND instr("postal_code", char(0)) = 0),
    CONSTRAINT ck_customer_version_city CHECK (typeof("city") = 'text' AND instr("city", char(0)) = 0),
    CONSTRAINT ck_customer_version_country CHECK (typeof("country") = 'text' AND instr("country", char(0)) = 0),
    CONSTRAINT ck_customer_version_emails CHECK (typeof("emails") = 'text' AND instr("emails", char(0)) = 0),
    CONSTRAINT ck_customer_version_phone CHECK (typeof("phone") = 'text' AND instr("phone", char(0)) = 0),
    CONSTRAINT ck_customer_version_language CHECK (typeof("language") = 'text' AND instr("language", char(0)) = 0),
    CONSTRAINT ck_customer_version_organisation_number CHECK (typeof("organisation_number") = 'text' AND instr("organisation_number", char(0)) = 0),
    CONSTRAINT ck_customer_version_vat_number CHECK (typeof("vat_number") = 'text' AND instr("vat_number", char(0)) = 0),
    CONSTRAINT ck_customer_version_reference CHECK (typeof("reference") = 'text' AND instr("reference", char(0)) = 0),
    CONSTRAINT ck_customer_version_purchase_order CHECK (typeof("purchase_order") = 'text' AND instr("purchase_order", char(0)) = 0),
    CONSTRAINT ck_customer_version_bill_to_id CHECK ("bill_to_id" IS NULL OR (typeof("bill_to_id") = 'integer')),
    CONSTRAINT ck_customer_version_einvoice_id CHECK (typeof("einvoice_id") = 'text' AND instr("einvoice_id", char(0)) = 0),
    CONSTRAINT ck_customer_version_payment_option CHECK (typeof("payment_option") = 'text' AND instr("payment_option", char(0)) = 0),
    CONSTRAINT ck_customer_version_channel CHECK (typeof("channel") = 'text' AND instr("channel", char(0)) = 0),
    CONSTRAINT ck_customer_version_terms_days CHECK ("terms_days" IS NULL OR (typeof("terms_days") = 'integer')),
    CONSTRAINT ck_customer_version_separate_invoices CHECK ("separate_invoices" IN (0, 1))
);

CREATE INDEX ix_customer_version_bill_to_id ON customer_version (bill_to_id);

CREATE INDEX ix_customer_version_customer_id_effective_from ON customer_version (customer_id, effective_from, id);

CREATE INDEX ix_customer_version_name ON customer_version (name);

CREATE TABLE document (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    series_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    run_id INTEGER,
    customer_id INTEGER NOT NULL,
    bill_to_id INTEGER NOT NULL,
    seller_id INTEGER NOT NULL,
    currency TEXT NOT NULL,
    issue_date DATE NOT NULL,
    due_date DATE NOT NULL,
    service_start DATE NOT NULL,
    service_end DATE NOT NULL,
    tax_inclusive BOOLEAN NOT NULL,
    payment_reference TEXT NOT NULL,
    payment_option TEXT NOT NULL,
    channel TEXT NOT NULL,
    language TEXT NOT NULL,
    purpose TEXT NOT NULL,
    corrects_id INTEGER,
    previous_id INTEGER,
    subtotal_minor INTEGER NOT NULL,
    discount_minor INTEGER NOT NULL,
    net_minor INTEGER NOT NULL,
    tax_minor INTEGER NOT NULL,
    total_minor INTEGER NOT NULL,
    tax_in_company_currency_minor INTEGER,
    recorded_at DATETIME NOT NULL,
    CONSTRAINT pk_document PRIMARY KEY (id),
    CONSTRAINT uq_document_series_id_sequence UNIQUE (series_id, sequence),
    CONSTRAINT uq_document_number UNIQUE (number),
    CONSTRAINT fk_document_series_id_number_series FOREIGN KEY(series_id) REFERENCES number_series (id),
    CONSTRAINT fk_document_run_id_billing_run FOREIGN KEY(run_id) REFERENCES billing_run (id),
    CONSTRAINT fk_document_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT fk_document_bill_to_id_customer FOREIGN KEY(bill_to_id) REFERENCES customer (id),
    CONSTRAINT fk_document_seller_id_company_profile FOREIGN KEY(seller_id) REFERENCES company_profile (id),
    CONSTRAINT fk_document_corrects_id_document FOREIGN KEY(corrects_id) REFERENCES document (id),
    CONSTRAINT ck_document_total CHECK (total_minor = net_minor + tax_minor),
    CONSTRAINT ck_document_sequence_from_1 CHECK (sequence >= 1),
    CONSTRAINT ck_document_kind_value CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT ck_document_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_document_number CHECK (typeof("number") = 'text' AND instr("number", char(0)) = 0),
    CONSTRAINT ck_document_series_id CHECK (typeof("series_id") = 'integer'),
    CONSTRAINT ck_document_sequence CHECK (typeof("sequence") = 'integer'),
    CONSTRAINT ck_document_run_id CHECK ("run_id" IS NULL OR (typeof("run_id") = 'integer')),
    CONSTRAINT ck_document_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_document_bill_to_id CHECK (typeof("bill_to_id") = 'integer'),
    CONSTRAINT ck_document_seller_id CHECK (typeof("seller_id") = 'integer'),
    CONSTRAINT ck_document_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_document_issue_date CHECK ("issue_date" IS date("issue_date", '+0 days')),
    CONSTRAINT ck_document_due_date CHECK ("due_date" IS date("due_date", '+0 days')),
    CONSTRAINT ck_document_service_start CHECK ("service_start" IS date("service_start", '+0 days')),
    CONSTRAINT ck_document_service_end CHECK ("service_end" IS date("service_end", '+0 days')),
    CONSTRAINT ck_document_tax_inclusive CHECK ("tax_inclusive" IN (0, 1)),
    CONSTRAINT ck_document_payment_reference CHECK (typeof("payment_reference") = 'text' AND instr("payment_reference", char(0)) = 0),
    CONSTRAINT ck_document_payment_option CHECK (typeof("payment_option") = 'text' AND instr("payment_option", char(0)) = 0),
    CONSTRAINT ck_document_channel CHECK (typeof("channel") = 'text' AND instr("channel", char(0)) = 0),
    CONSTRAINT ck_document_language CHECK (typeof("language") = 'text' AND instr("language", char(0)) = 0),
    CONSTRAINT ck_document_purpose CHECK (typeof("purpose") = 'text' AND instr("purpose", char(0)) = 0),
    CONSTRAINT ck_document_corrects_id CHECK ("corrects_id" IS NULL OR (typeof("corrects_id") = 'integer')),
    CONSTRAINT ck_document_previous_id CHECK ("previous_id" IS NULL OR (typeof("previous_id") = 'integer')),
    CONSTRAINT ck_document_subtotal_minor CHECK (typeof("subtotal_minor") = 'integer'),
    CONSTRAINT ck_document_discount_minor CHECK (typeof("discount_minor") = 'integer'),
    CONSTRAINT ck_document_net_minor CHECK (typeof("net_minor") = 'integer'),
    CONSTRAINT ck_document_tax_minor CHECK (typeof("tax_minor") = 'integer'),
    CONSTRAINT ck_document_total_minor CHECK (typeof("total_minor") = 'integer'),
    CONSTRAINT ck_document_tax_in_company_currency_minor CHECK ("tax_in_company_currency_minor" IS NULL OR (typeof("tax_in_company_currency_minor") = 'integer')),
    CONSTRAINT ck_document_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL)
);

CREATE INDEX ix_document_bill_to_id ON document (bill_to_id);

CREATE INDEX ix_document_corrects_id ON document (corrects_id);

CREATE INDEX ix_document_customer_id_issue_date ON document (customer_id, issue_date);

CREATE INDEX ix_document_issue_date ON document (issue_date);

CREATE INDEX ix_document_run_id ON document (run_id);

CREATE INDEX ix_document_sums ON document (currency, kind, issue_date, net_minor, tax_minor, total_minor);

CREATE INDEX ix_document_total_minor ON document (total_minor, id);

CREATE TABLE parked (
    id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    CONSTRAINT pk_parked PRIMARY KEY (id),
    CONSTRAINT fk_parked_run_id_billing_run FOREIGN KEY(run_id) REFERENCES billing_run (id),
    CONSTRAINT fk_parked_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT ck_parked_run_id CHECK (typeof("run_id") = 'integer'),
    CONSTRAINT ck_parked_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_parked_code CHECK (typeof("code") = 'text' AND instr("code", char(0)) = 0),
    CONSTRAINT ck_parked_message CHECK (typeof("message") = 'text' AND instr("message", char(0)) = 0),
    CONSTRAINT ck_parked_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL)
);

CREATE INDEX ix_parked_customer_id ON parked (customer_id);

CREATE INDEX ix_parked_run_id ON parked (run_id);

CREATE TABLE plan_margin (
    id INTEGER NOT NULL,
    plan_id INTEGER NOT NULL,
    effective_from DATE NOT NULL,
    margin_ppm INTEGER NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_plan_margin PRIMARY KEY (id),
    CONSTRAINT fk_plan_margin_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id),
    CONSTRAINT ck_plan_margin_plan_id CHECK (typeof("plan_id") = 'integer'),
    CONSTRAINT ck_plan_margin_effective_from CHECK ("effective_from" IS date("effective_from", '+0 days')),
    CONSTRAINT ck_plan_margin_margin_ppm CHECK (typeof("margin_ppm") = 'integer'),
    CONSTRAINT ck_plan_margin_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_plan_margin_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_plan_margin_plan_id ON plan_margin (plan_id);

CREATE TABLE plan_policy (
    id INTEGER NOT NULL,
    plan_id INTEGER NOT NULL,
    effective_from DATE NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    upgrade_when TEXT NOT NULL,
    downgrade_when TEXT NOT NULL,
    cancel_when TEXT NOT NULL,
    cancel_credit TEXT NOT NULL,
    minimum_term_months INTEGER NOT NULL,
    notice_days INTEGER NOT NULL,
    minimum_quantity INTEGER NOT NULL,
    maximum_pause_days INTEGER NOT NULL,
    CONSTRAINT pk_plan_policy PRIMARY KEY (id),
    CONSTRAINT fk_plan_policy_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id),
    CONSTRAINT ck_plan_policy_plan_id CHECK (typeof("plan_id") = 'integer'),
    CONSTRAINT ck_plan_policy_effective_from CHECK ("effective_from" IS date("effective_from", '+0 days')),
    CONSTRAINT ck_plan_policy_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_plan_policy_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_plan_policy_upgrade_when CHECK (typeof("upgrade_when") = 'text' AND instr("upgrade_when", char(0)) = 0),
    CONSTRAINT ck_plan_policy_downgrade_when CHECK (typeof("downgrade_when") = 'text' AND instr("downgrade_when", char(0)) = 0),
    CONSTRAINT ck_plan_policy_cancel_when CHECK (typeof("cancel_when") = 'text' AND instr("cancel_when", char(0)) = 0),
    CONSTRAINT ck_plan_policy_cancel_credit CHECK (typeof("cancel_credit") = 'text' AND instr("cancel_credit", char(0)) = 0),
    CONSTRAINT ck_plan_policy_minimum_term_months CHECK (typeof("minimum_term_months") = 'integer'),
    CONSTRAINT ck_plan_policy_notice_days CHECK (typeof("notice_days") = 'integer'),
    CONSTRAINT ck_plan_policy_minimum_quantity CHECK (typeof("minimum_quantity") = 'integer'),
    CONSTRAINT ck_plan_policy_maximum_pause_days CHECK (typeof("maximum_pause_days") = 'integer')
);

CREATE INDEX ix_plan_policy_plan_id ON plan_policy (plan_id);

CREATE TABLE price_version (
    id INTEGER NOT NULL,
    plan_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    currency TEXT NOT NULL,
    interval_unit TEXT NOT NULL,
    interval_count INTEGER NOT NULL,
    alignment TEXT NOT NULL,
    tax_inclusive BOOLEAN NOT NULL,
    minimum_minor INTEGER NOT NULL,
    trial_days INTEGER NOT NULL,
    status TEXT NOT NULL,
    valid_from DATE,
    note TEXT NOT NULL,
    subscription_id INTEGER,
    reason TEXT NOT NULL,
    expires_on DATE,
    approved_by TEXT NOT NULL,
    author TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    published_at DATETIME,
    published_by TEXT NOT NULL,
    retired_at DATETIME,
    CONSTRAINT pk_price_version PRIMARY KEY (id),
    CONSTRAINT uq_price_version_plan_id_currency_interval_unit_interval_count_number UNIQUE (plan_id, currency, interval_unit, interval_count, number),
    CONSTRAINT fk_price_version_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id),
    CONSTRAINT ck_price_version_interval_from_1 CHECK (interval_count >= 1),
    CONSTRAINT ck_price_version_three_letters CHECK (length(currency) = 3),
    CONSTRAINT ck_price_version_plan_id CHECK (typeof("plan_id") = 'integer'),
    CONSTRAINT ck_price_version_number CHECK (typeof("number") = 'integer'),
    CONSTRAINT ck_price_version_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_price_version_interval_unit_value CHECK (interval_unit IN ('day', 'week', 'month', 'year')),
    CONSTRAINT ck_price_version_interval_unit CHECK (typeof("interval_unit") = 'text' AND instr("interval_unit", char(0)) = 0),
    CONSTRAINT ck_price_version_interval_count CHECK (typeof("interval_count") = 'integer'),
    CONSTRAINT ck_price_version_alignment_value CHECK (alignment IN ('calendar', 'anniversary')),
    CONSTRAINT ck_price_version_alignment CHECK (typeof("alignment") = 'text' AND instr("alignment", char(0)) = 0),
    CONSTRAINT ck_price_version_tax_inclusive CHECK ("tax_inclusive" IN (0, 1)),
    CONSTRAINT ck_price_version_minimum_minor CHECK (typeof("minimum_minor") = 'integer'),
    CONSTRAINT ck_price_version_trial_days CHECK (typeof("trial_days") = 'integer'),
    CONSTRAINT ck_price_version_status_value CHECK (status IN ('draft', 'published', 'retired')),
    CONSTRAINT ck_price_version_status CHECK (typeof("status") = 'text' AND instr("status", char(0)) = 0),
    CONSTRAINT ck_price_version_valid_from CHECK ("valid_from" IS date("valid_from", '+0 days')),
    CONSTRAINT ck_price_version_note CHECK (typeof("note") = 'text' AND instr("note", char(0)) = 0),
    CONSTRAINT ck_price_version_subscription_id CHECK ("subscription_id" IS NULL OR (typeof("subscription_id") = 'integer')),
    CONSTRAINT ck_price_version_reason CHECK (typeof("reason") = 'text' AND instr("reason", char(0)) = 0),
    CONSTRAINT ck_price_version_expires_on CHECK ("expires_on" IS date("expires_on", '+0 days')),
    CONSTRAINT ck_price_version_approved_by CHECK (typeof("approved_by") = 'text' AND instr("approved_by", char(0)) = 0),
    CONSTRAINT ck_price_version_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_price_version_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_price_version_published_at CHECK ("published_at" IS NULL OR (length("published_at") = 26 AND datetime("published_at") IS NOT NULL)),
    CONSTRAINT ck_price_version_published_by CHECK (typeof("published_by") = 'text' AND instr("published_by", char(0)) = 0),
    CONSTRAINT ck_price_version_retired_at CHECK ("retired_at" IS NULL OR (length("retired_at") = 26 AND datetime("retired_at") IS NOT NULL))
);

CREATE INDEX ix_price_version_plan_id ON price_version (plan_id);

CREATE INDEX ix_price_version_subscription_id ON price_version (subscription_id);

CREATE TABLE run_chunk (
    id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    command_id TEXT NOT NULL,
    documents INTEGER NOT NULL,
    net_minor_json TEXT NOT NULL,
    finished_at DATETIME NOT NULL,
    CONSTRAINT pk_run_chunk PRIMARY KEY (id),
    CONSTRAINT fk_run_chunk_run_id_billing_run FOREIGN KEY(run_id) REFERENCES billing_run (id),
    CONSTRAINT uq_run_chunk_command_id UNIQUE (command_id),
    CONSTRAINT ck_run_chunk_run_id CHECK (typeof("run_id") = 'integer'),
    CONSTRAINT ck_run_chunk_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0),
    CONSTRAINT ck_run_chunk_documents CHECK (typeof("documents") = 'integer'),
    CONSTRAINT ck_run_chunk_net_minor_json CHECK (typeof("net_minor_json") = 'text' AND instr("net_minor_json", char(0)) = 0),
    CONSTRAINT ck_run_chunk_finished_at CHECK (length("finished_at") = 26 AND datetime("finished_at") IS NOT NULL)
);

CREATE INDEX ix_run_chunk_run_id ON run_chunk (run_id);

CREATE TABLE scenario_result (
    id INTEGER NOT NULL,
    scenario_id INTEGER NOT NULL,
    as_of DATE NOT NULL,
    data_hash TEXT NOT NULL,
    engine TEXT NOT NULL,
    content TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_scenario_result PRIMARY KEY (id),
    CONSTRAINT fk_scenario_result_scenario_id_scenario FOREIGN KEY(scenario_id) REFERENCES scenario (id),
    CONSTRAINT ck_scenario_result_scenario_id CHECK (typeof("scenario_id") = 'integer'),
    CONSTRAINT ck_scenario_result_as_of CHECK ("as_of" IS date("as_of", '+0 days')),
    CONSTRAINT ck_scenario_result_data_hash CHECK (typeof("data_hash") = 'text' AND instr("data_hash", char(0)) = 0),
    CONSTRAINT ck_scenario_result_engine CHECK (typeof("engine") = 'text' AND instr("engine", char(0)) = 0),
    CONSTRAINT ck_scenario_result_content CHECK (typeof("content") = 'text' AND instr("content", char(0)) = 0),
    CONSTRAINT ck_scenario_result_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_scenario_result_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_scenario_result_scenario_id ON scenario_result (scenario_id);

CREATE TABLE search_entry (
    id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    haystack TEXT NOT NULL,
    CONSTRAINT pk_search_entry PRIMARY KEY (id),
    CONSTRAINT fk_search_entry_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT ck_search_entry_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_search_entry_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_search_entry_label CHECK (typeof("label") = 'text' AND instr("label", char(0)) = 0),
    CONSTRAINT ck_search_entry_haystack CHECK (typeof("haystack") = 'text' AND instr("haystack", char(0)) = 0)
);

CREATE INDEX ix_search_entry_customer_id ON search_entry (customer_id);

CREATE TABLE subscription (
    id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    started_on DATE NOT NULL,
    terms_days INTEGER,
    minimum_term_until DATE,
    notice_days INTEGER NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_subscription PRIMARY KEY (id),
    CONSTRAINT fk_subscription_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT uq_subscription_external_id UNIQUE (external_id),
    CONSTRAINT ck_subscription_three_letters CHECK (length(currency) = 3),
    CONSTRAINT ck_subscription_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_subscription_external_id CHECK (typeof("external_id") = 'text' AND instr("external_id", char(0)) = 0),
    CONSTRAINT ck_subscription_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_subscription_started_on CHECK ("started_on" IS date("started_on", '+0 days')),
    CONSTRAINT ck_subscription_terms_days CHECK ("terms_days" IS NULL OR (typeof("terms_days") = 'integer')),
    CONSTRAINT ck_subscription_minimum_term_until CHECK ("minimum_term_until" IS date("minimum_term_until", '+0 days')),
    CONSTRAINT ck_subscription_notice_days CHECK (typeof("notice_days") = 'integer'),
    CONSTRAINT ck_subscription_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_subscription_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_subscription_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_subscription_command_id ON subscription (command_id);

CREATE INDEX ix_subscription_customer_id ON subscription (customer_id);

CREATE TABLE touch_point (
    id INTEGER NOT NULL,
    source_id TEXT,
    customer_id INTEGER NOT NULL,
    occurred_on DATE NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    outcome TEXT NOT NULL,
    note TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_touch_point PRIMARY KEY (id),
    CONSTRAINT uq_touch_point_source_id UNIQUE (source_id),
    CONSTRAINT fk_touch_point_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT ck_touch_point_source_id CHECK ("source_id" IS NULL OR (typeof("source_id") = 'text' AND instr("source_id", char(0)) = 0)),
    CONSTRAINT ck_touch_point_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_touch_point_occurred_on CHECK ("occurred_on" IS date("occurred_on", '+0 days')),
    CONSTRAINT ck_touch_point_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_touch_point_topic CHECK (typeof("topic") = 'text' AND instr("topic", char(0)) = 0),
    CONSTRAINT ck_touch_point_outcome CHECK (typeof("outcome") = 'text' AND instr("outcome", char(0)) = 0),
    CONSTRAINT ck_touch_point_note CHECK (typeof("note") = 'text' AND instr("note", char(0)) = 0),
    CONSTRAINT ck_touch_point_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_touch_point_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_touch_point_customer_id_occurred_on ON touch_point (customer_id, occurred_on);

CREATE TABLE adjustment (
    id INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    price_version_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    effective_on DATE NOT NULL,
    text TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    vat_category TEXT NOT NULL,
    reason TEXT NOT NULL,
    needs_approval BOOLEAN NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_adjustment PRIMARY KEY (id),
    CONSTRAINT fk_adjustment_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_adjustment_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT ck_adjustment_amount_above_0 CHECK (amount_minor > 0),
    CONSTRAINT ck_adjustment_subscription_id CHECK (typeof("subscription_id") = 'integer'),
    CONSTRAINT ck_adjustment_price_version_id CHECK (typeof("price_version_id") = 'integer'),
    CONSTRAINT ck_adjustment_kind_value CHECK (kind IN ('charge', 'goodwill')),
    CONSTRAINT ck_adjustment_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_adjustment_effective_on CHECK ("effective_on" IS date("effective_on", '+0 days')),
    CONSTRAINT ck_adjustment_text CHECK (typeof("text") = 'text' AND instr("text", char(0)) = 0),
    CONSTRAINT ck_adjustment_amount_minor CHECK (typeof("amount_minor") = 'integer'),
    CONSTRAINT ck_adjustment_vat_category CHECK (typeof("vat_category") = 'text' AND instr("vat_category", char(0)) = 0),
    CONSTRAINT ck_adjustment_reason CHECK (typeof("reason") = 'text' AND instr("reason", char(0)) = 0),
    CONSTRAINT ck_adjustment_needs_approval CHECK ("needs_approval" IN (0, 1)),
    CONSTRAINT ck_adjustment_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_adjustment_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_adjustment_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_adjustment_command_id ON adjustment (command_id);

CREATE INDEX ix_adjustment_subscription_id ON adjustment (subscription_id);

CREATE TABLE billing_cursor (
    subscription_id INTEGER NOT NULL,
    billed_through DATE NOT NULL,
    seen_change_id INTEGER NOT NULL,
    seen_event_id INTEGER NOT NULL,
    opening DATE,
    opening_change_id INTEGER,
    next_due_on DATE,
    rebill_from DATE,
    CONSTRAINT pk_billing_cursor PRIMARY KEY (subscription_id),
    CONSTRAINT fk_billing_cursor_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT ck_billing_cursor_subscription_id CHECK (typeof("subscription_id") = 'integer'),
    CONSTRAINT ck_billing_cursor_billed_through CHECK ("billed_through" IS date("billed_through", '+0 days')),
    CONSTRAINT ck_billing_cursor_seen_change_id CHECK (typeof("seen_change_id") = 'integer'),
    CONSTRAINT ck_billing_cursor_seen_event_id CHECK (typeof("seen_event_id") = 'integer'),
    CONSTRAINT ck_billing_cursor_opening CHECK ("opening" IS date("opening", '+0 days')),
    CONSTRAINT ck_billing_cursor_opening_change_id CHECK ("opening_change_id" IS NULL OR (typeof("opening_change_id") = 'integer')),
    CONSTRAINT ck_billing_cursor_next_due_on CHECK ("next_due_on" IS date("next_due_on", '+0 days')),
    CONSTRAINT ck_billing_cursor_rebill_from CHECK ("rebill_from" IS date("rebill_from", '+0 days'))
);

CREATE INDEX ix_billing_cursor_next_due_on ON billing_cursor (next_due_on);

CREATE TABLE charge (
    id INTEGER NOT NULL,
    price_version_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    timing TEXT NOT NULL,
    meter TEXT NOT NULL,
    included_units TEXT NOT NULL,
    package_rounding TEXT NOT NULL,
    convert_by TEXT,
    convert_rounding TEXT NOT NULL,
    first_tier_flat_at_zero BOOLEAN NOT NULL,
    min_amount TEXT,
    max_amount TEXT,
    vat_category TEXT NOT NULL,
    event_rate_percent TEXT,
    event_fixed_amount TEXT,
    free_events INTEGER,
    free_amount TEXT,
    min_per_event TEXT,
    max_per_event TEXT,
    CONSTRAINT pk_charge PRIMARY KEY (id),
    CONSTRAINT uq_charge_price_version_id_code UNIQUE (price_version_id, code),
    CONSTRAINT fk_charge_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT ck_charge_price_version_id CHECK (typeof("price_version_id") = 'integer'),
    CONSTRAINT ck_charge_position CHECK (typeof("position") = 'integer'),
    CONSTRAINT ck_charge_code CHECK (typeof("code") = 'text' AND instr("code", char(0)) = 0),
    CONSTRAINT ck_charge_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_charge_kind_value CHECK (kind IN ('fixed', 'seat', 'usage', 'addon', 'one_off')),
    CONSTRAINT ck_charge_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_charge_model_value CHECK (model IN ('flat', 'per_unit', 'graduated', 'volume', 'package', 'stairstep', 'percentage', 'graduated_percentage')),
    CONSTRAINT ck_charge_model CHECK (typeof("model") = 'text' AND instr("model", char(0)) = 0),
    CONSTRAINT ck_charge_timing_value CHECK (timing IN ('in_advance', 'in_arrears')),
    CONSTRAINT ck_charge_timing CHECK (typeof("timing") = 'text' AND instr("timing", char(0)) = 0),
    CONSTRAINT ck_charge_meter CHECK (typeof("meter") = 'text' AND instr("meter", char(0)) = 0),
    CONSTRAINT ck_charge_included_units CHECK (typeof("included_units") = 'text' AND instr("included_units", char(0)) = 0),
    CONSTRAINT ck_charge_package_rounding CHECK (typeof("package_rounding") = 'text' AND instr("package_rounding", char(0)) = 0),
    CONSTRAINT ck_charge_convert_by CHECK ("convert_by" IS NULL OR (typeof("convert_by") = 'text' AND instr("convert_by", char(0)) = 0)),
    CONSTRAINT ck_charge_convert_rounding CHECK (typeof("convert_rounding") = 'text' AND instr("convert_rounding", char(0)) = 0),
    CONSTRAINT ck_charge_first_tier_flat_at_zero CHECK ("first_tier_flat_at_zero" IN (0, 1)),
    CONSTRAINT ck_charge_min_amount CHECK ("min_amount" IS NULL OR (typeof("min_amount") = 'text' AND instr("min_amount", char(0)) = 0)),
    CONSTRAINT ck_charge_max_amount CHECK ("max_amount" IS NULL OR (typeof("max_amount") = 'text' AND instr("max_amount", char(0)) = 0)),
    CONSTRAINT ck_charge_vat_category CHECK (typeof("vat_category") = 'text' AND instr("vat_category", char(0)) = 0),
    CONSTRAINT ck_charge_event_rate_percent CHECK ("event_rate_percent" IS NULL OR (typeof("event_rate_percent") = 'text' AND instr("event_rate_percent", char(0)) = 0)),
    CONSTRAINT ck_charge_event_fixed_amount CHECK ("event_fixed_amount" IS NULL OR (typeof("event_fixed_amount") = 'text' AND instr("event_fixed_amount", char(0)) = 0)),
    CONSTRAINT ck_charge_free_events CHECK ("free_events" IS NULL OR (typeof("free_events") = 'integer')),
    CONSTRAINT ck_charge_free_amount CHECK ("free_amount" IS NULL OR (typeof("free_amount") = 'text' AND instr("free_amount", char(0)) = 0)),
    CONSTRAINT ck_charge_min_per_event CHECK ("min_per_event" IS NULL OR (typeof("min_per_event") = 'text' AND instr("min_per_event", char(0)) = 0)),
    CONSTRAINT ck_charge_max_per_event CHECK ("max_per_event" IS NULL OR (typeof("max_per_event") = 'text' AND instr("max_per_event", char(0)) = 0))
);

CREATE INDEX ix_charge_price_version_id ON charge (price_version_id);

CREATE TABLE document_buyer (
    document_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    contact TEXT NOT NULL,
    address TEXT NOT NULL,
    postal_code TEXT NOT NULL,
    city TEXT NOT NULL,
    country TEXT NOT NULL,
    emails TEXT NOT NULL,
    organisation_number TEXT NOT NULL,
    vat_number TEXT NOT NULL,
    reference TEXT NOT NULL,
    purchase_order TEXT NOT NULL,
    einvoice_id TEXT NOT NULL,
    purge_after DATE NOT NULL,
    CONSTRAINT pk_document_buyer PRIMARY KEY (document_id),
    CONSTRAINT fk_document_buyer_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT ck_document_buyer_document_id CHECK (typeof("document_id") = 'integer'),
    CONSTRAINT ck_document_buyer_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_document_buyer_name CHECK (typeof("name") = 'text' AND instr("name", char(0)) = 0),
    CONSTRAINT ck_document_buyer_contact CHECK (typeof("contact") = 'text' AND instr("contact", char(0)) = 0),
    CONSTRAINT ck_document_buyer_address CHECK (typeof("address") = 'text' AND instr("address", char(0)) = 0),
    CONSTRAINT ck_document_buyer_postal_code CHECK (typeof("postal_code") = 'text' AND instr("postal_code", char(0)) = 0),
    CONSTRAINT ck_document_buyer_city CHECK (typeof("city") = 'text' AND instr("city", char(0)) = 0),
    CONSTRAINT ck_document_buyer_country CHECK (typeof("country") = 'text' AND instr("country", char(0)) = 0),
    CONSTRAINT ck_document_buyer_emails CHECK (typeof("emails") = 'text' AND instr("emails", char(0)) = 0),
    CONSTRAINT ck_document_buyer_organisation_number CHECK (typeof("organisation_number") = 'text' AND instr("organisation_number", char(0)) = 0),
    CONSTRAINT ck_document_buyer_vat_number CHECK (typeof("vat_number") = 'text' AND instr("vat_number", char(0)) = 0),
    CONSTRAINT ck_document_buyer_reference CHECK (typeof("reference") = 'text' AND instr("reference", char(0)) = 0),
    CONSTRAINT ck_document_buyer_purchase_order CHECK (typeof("purchase_order") = 'text' AND instr("purchase_order", char(0)) = 0),
    CONSTRAINT ck_document_buyer_einvoice_id CHECK (typeof("einvoice_id") = 'text' AND instr("einvoice_id", char(0)) = 0),
    CONSTRAINT ck_document_buyer_purge_after CHECK ("purge_after" IS date("purge_after", '+0 days'))
);

CREATE INDEX ix_document_buyer_name ON document_buyer (name);

CREATE TABLE document_tax (
    id INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    treatment TEXT NOT NULL,
    rate_ppm INTEGER NOT NULL,
    base_minor INTEGER NOT NULL,
    tax_minor INTEGER NOT NULL,
    CONSTRAINT pk_document_tax PRIMARY KEY (id),
    CONSTRAINT uq_document_tax_document_id_treatment_rate_ppm UNIQUE (document_id, treatment, rate_ppm),
    CONSTRAINT fk_document_tax_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT ck_document_tax_document_id CHECK (typeof("document_id") = 'integer'),
    CONSTRAINT ck_document_tax_treatment CHECK (typeof("treatment") = 'text' AND instr("treatment", char(0)) = 0),
    CONSTRAINT ck_document_tax_rate_ppm CHECK (typeof("rate_ppm") = 'integer'),
    CONSTRAINT ck_document_tax_base_minor CHECK (typeof("base_minor") = 'integer'),
    CONSTRAINT ck_document_tax_tax_minor CHECK (typeof("tax_minor") = 'integer')
);

CREATE TABLE ledger_entry (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    on_date DATE NOT NULL,
    document_id INTEGER,
    customer_id INTEGER NOT NULL,
    note TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_ledger_entry PRIMARY KEY (id),
    CONSTRAINT fk_ledger_entry_id_ledger_seal FOREIGN KEY(id) REFERENCES ledger_seal (entry_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fk_ledger_entry_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT fk_ledger_entry_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT ck_ledger_entry_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_ledger_entry_on_date CHECK ("on_date" IS date("on_date", '+0 days')),
    CONSTRAINT ck_ledger_entry_document_id CHECK ("document_id" IS NULL OR (typeof("document_id") = 'integer')),
    CONSTRAINT ck_ledger_entry_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_ledger_entry_note CHECK (typeof("note") = 'text' AND instr("note", char(0)) = 0),
    CONSTRAINT ck_ledger_entry_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_ledger_entry_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_ledger_entry_command_id ON ledger_entry (command_id);

CREATE INDEX ix_ledger_entry_customer_id ON ledger_entry (customer_id);

CREATE INDEX ix_ledger_entry_document_id ON ledger_entry (document_id);

CREATE INDEX ix_ledger_entry_on_date ON ledger_entry (on_date);

CREATE TABLE scenario_decision (
    id INTEGER NOT NULL,
    scenario_id INTEGER NOT NULL,
    decision TEXT NOT NULL,
    price_version_id INTEGER,
    note TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_scenario_decision PRIMARY KEY (id),
    CONSTRAINT fk_scenario_decision_scenario_id_scenario FOREIGN KEY(scenario_id) REFERENCES scenario (id),
    CONSTRAINT fk_scenario_decision_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT ck_scenario_decision_scenario_id CHECK (typeof("scenario_id") = 'integer'),
    CONSTRAINT ck_scenario_decision_decision CHECK (typeof("decision") = 'text' AND instr("decision", char(0)) = 0),
    CONSTRAINT ck_scenario_decision_price_version_id CHECK ("price_version_id" IS NULL OR (typeof("price_version_id") = 'integer')),
    CONSTRAINT ck_scenario_decision_note CHECK (typeof("note") = 'text' AND instr("note", char(0)) = 0),
    CONSTRAINT ck_scenario_decision_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_scenario_decision_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_scenario_decision_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_scenario_decision_command_id ON scenario_decision (command_id);

CREATE INDEX ix_scenario_decision_price_version_id ON scenario_decision (price_version_id);

CREATE INDEX ix_scenario_decision_scenario_id ON scenario_decision (scenario_id);

CREATE TABLE subscription_change (
    id INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    effective_on DATE NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    undoes_id INTEGER,
    price_version_id INTEGER,
    earlier_version_id INTEGER,
    cap_ppm INTEGER,
    floor_ppm INTEGER,
    quantity_micro INTEGER,
    item TEXT NOT NULL,
    coupon_id INTEGER,
    periods_left INTEGER,
    anchor_on DATE,
    until_on DATE,
    credit TEXT NOT NULL,
    cause TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_subscription_change PRIMARY KEY (id),
    CONSTRAINT fk_subscription_change_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_subscription_change_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_subscription_change_earlier_version_id_price_version FOREIGN KEY(earlier_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_subscription_change_coupon_id_coupon FOREIGN KEY(coupon_id) REFERENCES coupon (id),
    CONSTRAINT ck_subscription_change_limited CHECK ((earlier_version_id IS NULL) = (cap_ppm IS NULL AND floor_ppm IS NULL)),
    CONSTRAINT ck_subscription_change_subscription_id CHECK (typeof("subscription_id") = 'integer'),
    CONSTRAINT ck_subscription_change_kind_value CHECK (kind IN ('start', 'trial', 'price', 'quantity', 'addon', 'coupon', 'coupon_end', 'pause', 'resume', 'cancel', 'undo')),
    CONSTRAINT ck_subscription_change_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_subscription_change_effective_on CHECK ("effective_on" IS date("effective_on", '+0 days')),
    CONSTRAINT ck_subscription_change_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_subscription_change_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_subscription_change_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0),
    CONSTRAINT ck_subscription_change_undoes_id CHECK ("undoes_id" IS NULL OR (typeof("undoes_id") = 'integer')),
    CONSTRAINT ck_subscription_change_price_version_id CHECK ("price_version_id" IS NULL OR (typeof("price_version_id") = 'integer')),
    CONSTRAINT ck_subscription_change_earlier_version_id CHECK ("earlier_version_id" IS NULL OR (typeof("earlier_version_id") = 'integer')),
    CONSTRAINT ck_subscription_change_cap_ppm CHECK ("cap_ppm" IS NULL OR (typeof("cap_ppm") = 'integer')),
    CONSTRAINT ck_subscription_change_floor_ppm CHECK ("floor_ppm" IS NULL OR (typeof("floor_ppm") = 'integer')),
    CONSTRAINT ck_subscription_change_quantity_micro CHECK ("quantity_micro" IS NULL OR (typeof("quantity_micro") = 'integer')),
    CONSTRAINT ck_subscription_change_item CHECK (typeof("item") = 'text' AND instr("item", char(0)) = 0),
    CONSTRAINT ck_subscription_change_coupon_id CHECK ("coupon_id" IS NULL OR (typeof("coupon_id") = 'integer')),
    CONSTRAINT ck_subscription_change_periods_left CHECK ("periods_left" IS NULL OR (typeof("periods_left") = 'integer')),
    CONSTRAINT ck_subscription_change_anchor_on CHECK ("anchor_on" IS date("anchor_on", '+0 days')),
    CONSTRAINT ck_subscription_change_until_on CHECK ("until_on" IS date("until_on", '+0 days')),
    CONSTRAINT ck_subscription_change_credit CHECK (typeof("credit") = 'text' AND instr("credit", char(0)) = 0),
    CONSTRAINT ck_subscription_change_cause CHECK (typeof("cause") = 'text' AND instr("cause", char(0)) = 0),
    CONSTRAINT ck_subscription_change_reason CHECK (typeof("reason") = 'text' AND instr("reason", char(0)) = 0)
);

CREATE INDEX ix_subscription_change_command_id ON subscription_change (command_id);

CREATE INDEX ix_subscription_change_coupon_id ON subscription_change (coupon_id);

CREATE INDEX ix_subscription_change_price_version_id ON subscription_change (price_version_id);

CREATE INDEX ix_subscription_change_subscription_id_effective_on ON subscription_change (subscription_id, effective_on, id);

CREATE TABLE usage_event (
    id INTEGER NOT NULL,
    source_id TEXT NOT NULL,
    subscription_id INTEGER NOT NULL,
    meter TEXT NOT NULL,
    occurred_at DATETIME NOT NULL,
    occurred_on DATE NOT NULL,
    quantity_micro INTEGER NOT NULL,
    amount_micro INTEGER,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_usage_event PRIMARY KEY (id),
    CONSTRAINT uq_usage_event_source_id UNIQUE (source_id),
    CONSTRAINT fk_usage_event_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT ck_usage_event_source_id CHECK (typeof("source_id") = 'text' AND instr("source_id", char(0)) = 0),
    CONSTRAINT ck_usage_event_subscription_id CHECK (typeof("subscription_id") = 'integer'),
    CONSTRAINT ck_usage_event_meter CHECK (typeof("meter") = 'text' AND instr("meter", char(0)) = 0),
    CONSTRAINT ck_usage_event_occurred_at CHECK (length("occurred_at") = 26 AND datetime("occurred_at") IS NOT NULL),
    CONSTRAINT ck_usage_event_occurred_on CHECK ("occurred_on" IS date("occurred_on", '+0 days')),
    CONSTRAINT ck_usage_event_quantity_micro CHECK (typeof("quantity_micro") = 'integer'),
    CONSTRAINT ck_usage_event_amount_micro CHECK ("amount_micro" IS NULL OR (typeof("amount_micro") = 'integer')),
    CONSTRAINT ck_usage_event_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_usage_event_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0)
);

CREATE INDEX ix_usage_event_subscription_id_occurred_on ON usage_event (subscription_id, occurred_on);

CREATE TABLE adjustment_decision (
    id INTEGER NOT NULL,
    adjustment_id INTEGER NOT NULL,
    decision TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_adjustment_decision PRIMARY KEY (id),
    CONSTRAINT uq_adjustment_decision_adjustment_id UNIQUE (adjustment_id),
    CONSTRAINT fk_adjustment_decision_adjustment_id_adjustment FOREIGN KEY(adjustment_id) REFERENCES adjustment (id),
    CONSTRAINT ck_adjustment_decision_adjustment_id CHECK (typeof("adjustment_id") = 'integer'),
    CONSTRAINT ck_adjustment_decision_decision_value CHECK (decision IN ('approved', 'declined', 'withdrawn')),
    CONSTRAINT ck_adjustment_decision_decision CHECK (typeof("decision") = 'text' AND instr("decision", char(0)) = 0),
    CONSTRAINT ck_adjustment_decision_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_adjustment_decision_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_adjustment_decision_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_adjustment_decision_command_id ON adjustment_decision (command_id);

CREATE TABLE document_line (
    id INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    price_version_id INTEGER NOT NULL,
    charge_id INTEGER,
    kind TEXT NOT NULL,
    service_start DATE NOT NULL,
    service_end DATE NOT NULL,
    period_start DATE NOT NULL,
    period_end DATE NOT NULL,
    timing TEXT NOT NULL,
    revision INTEGER NOT NULL,
    corrects_id INTEGER,
    adjustment_id INTEGER,
    counts_as_billed BOOLEAN NOT NULL,
    quantity_micro INTEGER NOT NULL,
    period_amount_minor INTEGER NOT NULL,
    period_discount_minor INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    discount_minor INTEGER NOT NULL,
    net_minor INTEGER NOT NULL,
    tax_treatment TEXT NOT NULL,
    tax_rate_ppm INTEGER NOT NULL,
    CONSTRAINT pk_document_line PRIMARY KEY (id),
    CONSTRAINT fk_document_line_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT fk_document_line_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_document_line_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_document_line_charge_id_charge FOREIGN KEY(charge_id) REFERENCES charge (id),
    CONSTRAINT uq_document_line_adjustment_id UNIQUE (adjustment_id),
    CONSTRAINT fk_document_line_adjustment_id_adjustment FOREIGN KEY(adjustment_id) REFERENCES adjustment (id),
    CONSTRAINT ck_document_line_service CHECK (service_end >= service_start),
    CONSTRAINT ck_document_line_period CHECK (period_end >= period_start),
    CONSTRAINT ck_document_line_revision_from_0 CHECK (revision >= 0),
    CONSTRAINT ck_document_line_document_id CHECK (typeof("document_id") = 'integer'),
    CONSTRAINT ck_document_line_position CHECK (typeof("position") = 'integer'),
    CONSTRAINT ck_document_line_subscription_id CHECK (typeof("subscription_id") = 'integer'),
    CONSTRAINT ck_document_line_price_version_id CHECK (typeof("price_version_id") = 'integer'),
    CONSTRAINT ck_document_line_charge_id CHECK ("charge_id" IS NULL OR (typeof("charge_id") = 'integer')),
    CONSTRAINT ck_document_line_kind CHECK (typeof("kind") = 'text' AND instr("kind", char(0)) = 0),
    CONSTRAINT ck_document_line_service_start CHECK ("service_start" IS date("service_start", '+0 days')),
    CONSTRAINT ck_document_line_service_end CHECK ("service_end" IS date("service_end", '+0 days')),
    CONSTRAINT ck_document_line_period_start CHECK ("period_start" IS date("period_start", '+0 days')),
    CONSTRAINT ck_document_line_period_end CHECK ("period_end" IS date("period_end", '+0 days')),
    CONSTRAINT ck_document_line_timing CHECK (typeof("timing") = 'text' AND instr("timing", char(0)) = 0),
    CONSTRAINT ck_document_line_revision CHECK (typeof("revision") = 'integer'),
    CONSTRAINT ck_document_line_corrects_id CHECK ("corrects_id" IS NULL OR (typeof("corrects_id") = 'integer')),
    CONSTRAINT ck_document_line_adjustment_id CHECK ("adjustment_id" IS NULL OR (typeof("adjustment_id") = 'integer')),
    CONSTRAINT ck_document_line_counts_as_billed CHECK ("counts_as_billed" IN (0, 1)),
    CONSTRAINT ck_document_line_quantity_micro CHECK (typeof("quantity_micro") = 'integer'),
    CONSTRAINT ck_document_line_period_amount_minor CHECK (typeof("period_amount_minor") = 'integer'),
    CONSTRAINT ck_document_line_period_discount_minor CHECK (typeof("period_discount_minor") = 'integer'),
    CONSTRAINT ck_document_line_amount_minor CHECK (typeof("amount_minor") = 'integer'),
    CONSTRAINT ck_document_line_discount_minor CHECK (typeof("discount_minor") = 'integer'),
    CONSTRAINT ck_document_line_net_minor CHECK (typeof("net_minor") = 'integer'),
    CONSTRAINT ck_document_line_tax_treatment CHECK (typeof("tax_treatment") = 'text' AND instr("tax_treatment", char(0)) = 0),
    CONSTRAINT ck_document_line_tax_rate_ppm CHECK (typeof("tax_rate_ppm") = 'integer')
);

CREATE INDEX ix_document_line_document_id ON document_line (document_id);

CREATE INDEX ix_document_line_subscription_id_period_end ON document_line (subscription_id, period_end);

CREATE UNIQUE INDEX uq_document_line_billed_once ON document_line (subscription_id, coalesce(charge_id, 0), service_start, service_end, revision, kind, timing) WHERE counts_as_billed = 1;

CREATE TABLE ledger_posting (
    id INTEGER NOT NULL,
    entry_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    CONSTRAINT pk_ledger_posting PRIMARY KEY (id),
    CONSTRAINT fk_ledger_posting_entry_id_ledger_entry FOREIGN KEY(entry_id) REFERENCES ledger_entry (id),
    CONSTRAINT ck_ledger_posting_three_letters CHECK (length(currency) = 3),
    CONSTRAINT ck_ledger_posting_entry_id CHECK (typeof("entry_id") = 'integer'),
    CONSTRAINT ck_ledger_posting_account CHECK (typeof("account") = 'text' AND instr("account", char(0)) = 0),
    CONSTRAINT ck_ledger_posting_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_ledger_posting_amount_minor CHECK (typeof("amount_minor") = 'integer')
);

CREATE INDEX ix_ledger_posting_account ON ledger_posting (account);

CREATE INDEX ix_ledger_posting_entry_id ON ledger_posting (entry_id);

CREATE TABLE migration_plan (
    id INTEGER NOT NULL,
    scenario_id INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    price_version_id INTEGER NOT NULL,
    from_version_id INTEGER NOT NULL,
    cap_ppm INTEGER,
    floor_ppm INTEGER,
    before_twelfths INTEGER NOT NULL,
    after_twelfths INTEGER NOT NULL,
    effective_on DATE NOT NULL,
    notice_on DATE NOT NULL,
    wave INTEGER NOT NULL,
    change_id INTEGER,
    recorded_at DATETIME NOT NULL,
    CONSTRAINT pk_migration_plan PRIMARY KEY (id),
    CONSTRAINT uq_migration_plan_scenario_id_subscription_id_price_version_id UNIQUE (scenario_id, subscription_id, price_version_id),
    CONSTRAINT fk_migration_plan_scenario_id_scenario FOREIGN KEY(scenario_id) REFERENCES scenario (id),
    CONSTRAINT fk_migration_plan_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_migration_plan_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_migration_plan_from_version_id_price_version FOREIGN KEY(from_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_migration_plan_change_id_subscription_change FOREIGN KEY(change_id) REFERENCES subscription_change (id),
    CONSTRAINT ck_migration_plan_scenario_id CHECK (typeof("scenario_id") = 'integer'),
    CONSTRAINT ck_migration_plan_subscription_id CHECK (typeof("subscription_id") = 'integer'),
    CONSTRAINT ck_migration_plan_price_version_id CHECK (typeof("price_version_id") = 'integer'),
    CONSTRAINT ck_migration_plan_from_version_id CHECK (typeof("from_version_id") = 'integer'),
    CONSTRAINT ck_migration_plan_cap_ppm CHECK ("cap_ppm" IS NULL OR (typeof("cap_ppm") = 'integer')),
    CONSTRAINT ck_migration_plan_floor_ppm CHECK ("floor_ppm" IS NULL OR (typeof("floor_ppm") = 'integer')),
    CONSTRAINT ck_migration_plan_before_twelfths CHECK (typeof("before_twelfths") = 'integer'),
    CONSTRAINT ck_migration_plan_after_twelfths CHECK (typeof("after_twelfths") = 'integer'),
    CONSTRAINT ck_migration_plan_effective_on CHECK ("effective_on" IS date("effective_on", '+0 days')),
    CONSTRAINT ck_migration_plan_notice_on CHECK ("notice_on" IS date("notice_on", '+0 days')),
    CONSTRAINT ck_migration_plan_wave CHECK (typeof("wave") = 'integer'),
    CONSTRAINT ck_migration_plan_change_id CHECK ("change_id" IS NULL OR (typeof("change_id") = 'integer')),
    CONSTRAINT ck_migration_plan_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL)
);

CREATE INDEX ix_migration_plan_change_id ON migration_plan (change_id);

CREATE INDEX ix_migration_plan_subscription_id ON migration_plan (subscription_id);

CREATE TABLE payment (
    id INTEGER NOT NULL,
    entry_id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    document_id INTEGER,
    paid_on DATE NOT NULL,
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    payment_option TEXT NOT NULL,
    note TEXT NOT NULL,
    source_id TEXT,
    undoes_id INTEGER,
    recorded_at DATETIME NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_payment PRIMARY KEY (id),
    CONSTRAINT uq_payment_entry_id UNIQUE (entry_id),
    CONSTRAINT fk_payment_entry_id_ledger_entry FOREIGN KEY(entry_id) REFERENCES ledger_entry (id),
    CONSTRAINT fk_payment_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT fk_payment_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT uq_payment_source_id UNIQUE (source_id),
    CONSTRAINT uq_payment_undoes_id UNIQUE (undoes_id),
    CONSTRAINT fk_payment_undoes_id_payment FOREIGN KEY(undoes_id) REFERENCES payment (id),
    CONSTRAINT ck_payment_some_amount CHECK (amount_minor <> 0),
    CONSTRAINT ck_payment_three_letters CHECK (length(currency) = 3),
    CONSTRAINT ck_payment_entry_id CHECK (typeof("entry_id") = 'integer'),
    CONSTRAINT ck_payment_customer_id CHECK (typeof("customer_id") = 'integer'),
    CONSTRAINT ck_payment_document_id CHECK ("document_id" IS NULL OR (typeof("document_id") = 'integer')),
    CONSTRAINT ck_payment_paid_on CHECK ("paid_on" IS date("paid_on", '+0 days')),
    CONSTRAINT ck_payment_currency CHECK (typeof("currency") = 'text' AND instr("currency", char(0)) = 0),
    CONSTRAINT ck_payment_amount_minor CHECK (typeof("amount_minor") = 'integer'),
    CONSTRAINT ck_payment_payment_option CHECK (typeof("payment_option") = 'text' AND instr("payment_option", char(0)) = 0),
    CONSTRAINT ck_payment_note CHECK (typeof("note") = 'text' AND instr("note", char(0)) = 0),
    CONSTRAINT ck_payment_source_id CHECK ("source_id" IS NULL OR (typeof("source_id") = 'text' AND instr("source_id", char(0)) = 0)),
    CONSTRAINT ck_payment_undoes_id CHECK ("undoes_id" IS NULL OR (typeof("undoes_id") = 'integer')),
    CONSTRAINT ck_payment_recorded_at CHECK (length("recorded_at") = 26 AND datetime("recorded_at") IS NOT NULL),
    CONSTRAINT ck_payment_author CHECK (typeof("author") = 'text' AND instr("author", char(0)) = 0),
    CONSTRAINT ck_payment_command_id CHECK (typeof("command_id") = 'text' AND instr("command_id", char(0)) = 0)
);

CREATE INDEX ix_payment_command_id ON payment (command_id);

CREATE INDEX ix_payment_customer_id ON payment (customer_id);

CREATE INDEX ix_payment_document_id ON payment (document_id);

CREATE TABLE tier (
    id INTEGER NOT NULL,
    charge_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    up_to TEXT,
    unit_amount TEXT NOT NULL,
    flat_amount TEXT NOT NULL,
    package_size TEXT,
    rate_percent TEXT NOT NULL,
    CONSTRAINT pk_tier PRIMARY KEY (id),
    CONSTRAINT uq_tier_charge_id_position UNIQUE (charge_id, position),
    CONSTRAINT fk_tier_charge_id_charge FOREIGN KEY(charge_id) REFERENCES charge (id),
    CONSTRAINT ck_tier_charge_id CHECK (typeof("charge_id") = 'integer'),
    CONSTRAINT ck_tier_position CHECK (typeof("position") = 'integer'),
    CONSTRAINT ck_tier_up_to CHECK ("up_to" IS NULL OR (typeof("up_to") = 'text' AND instr("up_to", char(0)) = 0)),
    CONSTRAINT ck_tier_unit_amount CHECK (typeof("unit_amount") = 'text' AND instr("unit_amount", char(0)) = 0),
    CONSTRAINT ck_tier_flat_amount CHECK (typeof("flat_amount") = 'text' AND instr("flat_amount", char(0)) = 0),
    CONSTRAINT ck_tier_package_size CHECK ("package_size" IS NULL OR (typeof("package_size") = 'text' AND instr("package_size", char(0)) = 0)),
    CONSTRAINT ck_tier_rate_percent CHECK (typeof("rate_percent") = 'text' AND instr("rate_percent", char(0)) = 0)
);

CREATE INDEX ix_tier_charge_id ON tier (charge_id);

CREATE TABLE line_discount (
    id INTEGER NOT NULL,
    line_id INTEGER NOT NULL,
    grant_id INTEGER NOT NULL,
    period_start DATE NOT NULL,
    amount_minor INTEGER NOT NULL,
    CONSTRAINT pk_line_discount PRIMARY KEY (id),
    CONSTRAINT fk_line_discount_line_id_document_line FOREIGN KEY(line_id) REFERENCES document_line (id),
    CONSTRAINT fk_line_discount_grant_id_subscription_change FOREIGN KEY(grant_id) REFERENCES subscription_change (id),
    CONSTRAINT ck_line_discount_line_id CHECK (typeof("line_id") = 'integer'),
    CONSTRAINT ck_line_discount_grant_id CHECK (typeof("grant_id") = 'integer'),
    CONSTRAINT ck_line_discount_period_start CHECK ("period_start" IS date("period_start", '+0 days')),
    CONSTRAINT ck_line_discount_amount_minor CHECK (typeof("amount_minor") = 'integer')
);

CREATE INDEX ix_line_discount_grant_id ON line_discount (grant_id);

CREATE INDEX ix_line_discount_line_id ON line_discount (line_id);

CREATE TRIGGER adjustment_refuse_update BEFORE UPDATE ON adjustment
BEGIN SELECT RAISE(ABORT, 'adjustment is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER adjustment_refuse_delete BEFORE DELETE ON adjustment
BEGIN SELECT RAISE(ABORT, 'adjustment is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER adjustment_decision_refuse_update BEFORE UPDATE ON adjustment_decision
BEGIN SELECT RAISE(ABORT, 'adjustment_decision is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER adjustment_decision_refuse_delete BEFORE DELETE ON adjustment_decision
BEGIN SELECT RAISE(ABORT, 'adjustment_decision is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER audit_entry_refuse_update BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER audit_entry_refuse_delete BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER books_closed_refuse_update BEFORE UPDATE ON books_closed
BEGIN SELECT RAISE(ABORT, 'books_closed is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER books_closed_refuse_delete BEFORE DELETE ON books_closed
BEGIN SELECT RAISE(ABORT, 'books_closed is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER books_reopening_refuse_update BEFORE UPDATE ON books_reopening
BEGIN SELECT RAISE(ABORT, 'books_reopening is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER books_reopening_refuse_delete BEFORE DELETE ON books_reopening
BEGIN SELECT RAISE(ABORT, 'books_reopening is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER budget_refuse_update BEFORE UPDATE ON budget
BEGIN SELECT RAISE(ABORT, 'budget is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER budget_refuse_delete BEFORE DELETE ON budget
BEGIN SELECT RAISE(ABORT, 'budget is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER command_refuse_update BEFORE UPDATE ON command
BEGIN SELECT RAISE(ABORT, 'command is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER command_refuse_delete BEFORE DELETE ON command
BEGIN SELECT RAISE(ABORT, 'command is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER company_profile_refuse_update BEFORE UPDATE ON company_profile
BEGIN SELECT RAISE(ABORT, 'company_profile is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER company_profile_refuse_delete BEFORE DELETE ON company_profile
BEGIN SELECT RAISE(ABORT, 'company_profile is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER currency_rate_refuse_update BEFORE UPDATE ON currency_rate
BEGIN SELECT RAISE(ABORT, 'currency_rate is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER currency_rate_refuse_delete BEFORE DELETE ON currency_rate
BEGIN SELECT RAISE(ABORT, 'currency_rate is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER customer_note_refuse_update BEFORE UPDATE ON customer_note
BEGIN SELECT RAISE(ABORT, 'customer_note is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER customer_note_refuse_delete BEFORE DELETE ON customer_note
BEGIN SELECT RAISE(ABORT, 'customer_note is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER customer_version_refuse_delete BEFORE DELETE ON customer_version
BEGIN SELECT RAISE(ABORT, 'customer_version is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER document_refuse_update BEFORE UPDATE ON document
BEGIN SELECT RAISE(ABORT, 'document is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER document_refuse_delete BEFORE DELETE ON document
BEGIN SELECT RAISE(ABORT, 'document is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER document_line_refuse_update BEFORE UPDATE ON document_line
BEGIN SELECT RAISE(ABORT, 'document_line is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER document_line_refuse_delete BEFORE DELETE ON document_line
BEGIN SELECT RAISE(ABORT, 'document_line is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER document_tax_refuse_update BEFORE UPDATE ON document_tax
BEGIN SELECT RAISE(ABORT, 'document_tax is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER document_tax_refuse_delete BEFORE DELETE ON document_tax
BEGIN SELECT RAISE(ABORT, 'document_tax is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER ledger_entry_refuse_update BEFORE UPDATE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER ledger_entry_refuse_delete BEFORE DELETE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER ledger_posting_refuse_update BEFORE UPDATE ON ledger_posting
BEGIN SELECT RAISE(ABORT, 'ledger_posting is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER ledger_posting_refuse_delete BEFORE DELETE ON ledger_posting
BEGIN SELECT RAISE(ABORT, 'ledger_posting is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER ledger_seal_refuse_update BEFORE UPDATE ON ledger_seal
BEGIN SELECT RAISE(ABORT, 'ledger_seal is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER ledger_seal_refuse_delete BEFORE DELETE ON ledger_seal
BEGIN SELECT RAISE(ABORT, 'ledger_seal is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER line_discount_refuse_update BEFORE UPDATE ON line_discount
BEGIN SELECT RAISE(ABORT, 'line_discount is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER line_discount_refuse_delete BEFORE DELETE ON line_discount
BEGIN SELECT RAISE(ABORT, 'line_discount is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER month_close_refuse_update BEFORE UPDATE ON month_close
BEGIN SELECT RAISE(ABORT, 'month_close is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER month_close_refuse_delete BEFORE DELETE ON month_close
BEGIN SELECT RAISE(ABORT, 'month_close is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER payment_refuse_update BEFORE UPDATE ON payment
BEGIN SELECT RAISE(ABORT, 'payment is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER payment_refuse_delete BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'payment is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER plan_margin_refuse_update BEFORE UPDATE ON plan_margin
BEGIN SELECT RAISE(ABORT, 'plan_margin is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER plan_margin_refuse_delete BEFORE DELETE ON plan_margin
BEGIN SELECT RAISE(ABORT, 'plan_margin is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER saved_view_refuse_update BEFORE UPDATE ON saved_view
BEGIN SELECT RAISE(ABORT, 'saved_view is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER saved_view_refuse_delete BEFORE DELETE ON saved_view
BEGIN SELECT RAISE(ABORT, 'saved_view is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER scenario_refuse_update BEFORE UPDATE ON scenario
BEGIN SELECT RAISE(ABORT, 'scenario is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER scenario_refuse_delete BEFORE DELETE ON scenario
BEGIN SELECT RAISE(ABORT, 'scenario is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER reaction_estimate_refuse_update BEFORE UPDATE ON reaction_estimate
BEGIN SELECT RAISE(ABORT, 'reaction_estimate is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER reaction_estimate_refuse_delete BEFORE DELETE ON reaction_estimate
BEGIN SELECT RAISE(ABORT, 'reaction_estimate is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER scenario_decision_refuse_update BEFORE UPDATE ON scenario_decision
BEGIN SELECT RAISE(ABORT, 'scenario_decision is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER scenario_decision_refuse_delete BEFORE DELETE ON scenario_decision
BEGIN SELECT RAISE(ABORT, 'scenario_decision is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER scenario_result_refuse_update BEFORE UPDATE ON scenario_result
BEGIN SELECT RAISE(ABORT, 'scenario_result is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER scenario_result_refuse_delete BEFORE DELETE ON scenario_result
BEGIN SELECT RAISE(ABORT, 'scenario_result is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER subscription_change_refuse_update BEFORE UPDATE ON subscription_change
BEGIN SELECT RAISE(ABORT, 'subscription_change is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER subscription_change_refuse_delete BEFORE DELETE ON subscription_change
BEGIN SELECT RAISE(ABORT, 'subscription_change is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER time_mark_refuse_update BEFORE UPDATE ON time_mark
BEGIN SELECT RAISE(ABORT, 'time_mark is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER time_mark_refuse_delete BEFORE DELETE ON time_mark
BEGIN SELECT RAISE(ABORT, 'time_mark is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER usage_event_refuse_update BEFORE UPDATE ON usage_event
BEGIN SELECT RAISE(ABORT, 'usage_event is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER usage_event_refuse_delete BEFORE DELETE ON usage_event
BEGIN SELECT RAISE(ABORT, 'usage_event is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER vat_rule_refuse_update BEFORE UPDATE ON vat_rule
BEGIN SELECT RAISE(ABORT, 'vat_rule is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER vat_rule_refuse_delete BEFORE DELETE ON vat_rule
BEGIN SELECT RAISE(ABORT, 'vat_rule is append-only: its rows are never changed or deleted'); END;

CREATE TRIGGER customer_version_refuse_update BEFORE UPDATE ON customer_version
WHEN NEW.id IS NOT OLD.id OR NEW.customer_id IS NOT OLD.customer_id OR NEW.effective_from IS NOT OLD.effective_from OR NEW.recorded_at IS NOT OLD.recorded_at OR NEW.author IS NOT OLD.author OR NEW.undoes_id IS NOT OLD.undoes_id OR NEW.kind IS NOT OLD.kind OR NEW.country IS NOT OLD.country OR NEW.language IS NOT OLD.language OR NEW.bill_to_id IS NOT OLD.bill_to_id OR NEW.payment_option IS NOT OLD.payment_option OR NEW.channel IS NOT OLD.channel OR NEW.terms_days IS NOT OLD.terms_days OR NEW.separate_invoices IS NOT OLD.separate_invoices OR (NEW.name IS NOT OLD.name AND NEW.name <> '') OR (NEW.contact IS NOT OLD.contact AND NEW.contact <> '') OR (NEW.address IS NOT OLD.address AND NEW.address <> '') OR (NEW.postal_code IS NOT OLD.postal_code AND NEW.postal_code <> '') OR (NEW.city IS NOT OLD.city AND NEW.city <> '') OR (NEW.emails IS NOT OLD.emails AND NEW.emails <> '') OR (NEW.phone IS NOT OLD.phone AND NEW.phone <> '') OR (NEW.organisation_number IS NOT OLD.organisation_number AND NEW.organisation_number <> '') OR (NEW.vat_number IS NOT OLD.vat_number AND NEW.vat_number <> '') OR (NEW.reference IS NOT OLD.reference AND NEW.reference <> '') OR (NEW.purchase_order IS NOT OLD.purchase_order AND NEW.purchase_order <> '') OR (NEW.einvoice_id IS NOT OLD.einvoice_id AND NEW.einvoice_id <> '')
BEGIN SELECT RAISE(ABORT, 'customer_version is append-only: what it says about a person may only be emptied'); END;

CREATE TRIGGER price_version_refuse_update BEFORE UPDATE ON price_version
WHEN (OLD.status = 'draft' AND OLD.status || '>' || NEW.status NOT IN ('draft>draft', 'draft>published')) OR (OLD.status <> 'draft' AND (NEW.id IS NOT OLD.id OR NEW.plan_id IS NOT OLD.plan_id OR NEW.number IS NOT OLD.number OR NEW.currency IS NOT OLD.currency OR NEW.interval_unit IS NOT OLD.interval_unit OR NEW.interval_count IS NOT OLD.interval_count OR NEW.alignment IS NOT OLD.alignment OR NEW.tax_inclusive IS NOT OLD.tax_inclusive OR NEW.minimum_minor IS NOT OLD.minimum_minor OR NEW.trial_days IS NOT OLD.trial_days OR NEW.valid_from IS NOT OLD.valid_from OR NEW.note IS NOT OLD.note OR NEW.subscription_id IS NOT OLD.subscription_id OR NEW.reason IS NOT OLD.reason OR NEW.expires_on IS NOT OLD.expires_on OR NEW.approved_by IS NOT OLD.approved_by OR NEW.author IS NOT OLD.author OR NEW.recorded_at IS NOT OLD.recorded_at OR NEW.published_at IS NOT OLD.published_at OR NEW.published_by IS NOT OLD.published_by OR OLD.status || '>' || NEW.status NOT IN ('published>published', 'published>retired', 'retired>retired')))
BEGIN SELECT RAISE(ABORT, 'a price version is frozen once it is published; it may only be retired'); END;

CREATE TRIGGER price_version_refuse_delete BEFORE DELETE ON price_version
WHEN OLD.status <> 'draft'
BEGIN SELECT RAISE(ABORT, 'a price version is frozen once it is published; it may only be retired'); END;

CREATE TRIGGER charge_refuse_insert BEFORE INSERT ON charge
WHEN (SELECT status FROM price_version WHERE id = NEW.price_version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'the charges and tiers of a price version are frozen once it is not a draft'); END;

CREATE TRIGGER charge_refuse_update BEFORE UPDATE ON charge
WHEN (SELECT status FROM price_version WHERE id = OLD.price_version_id) <> 'draft' OR (SELECT status FROM price_version WHERE id = NEW.price_version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'the charges and tiers of a price version are frozen once it is not a draft'); END;

CREATE TRIGGER charge_refuse_delete BEFORE DELETE ON charge
WHEN (SELECT status FROM price_version WHERE id = OLD.price_version_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'the charges and tiers of a price version are frozen once it is not a draft'); END;

CREATE TRIGGER tier_refuse_insert BEFORE INSERT ON tier
WHEN (SELECT status FROM price_version JOIN charge ON charge.price_version_id = price_version.id WHERE charge.id = NEW.charge_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'the charges and tiers of a price version are frozen once it is not a draft'); END;

CREATE TRIGGER tier_refuse_update BEFORE UPDATE ON tier
WHEN (SELECT status FROM price_version JOIN charge ON charge.price_version_id = price_version.id WHERE charge.id = OLD.charge_id) <> 'draft' OR (SELECT status FROM price_version JOIN charge ON charge.price_version_id = price_version.id WHERE charge.id = NEW.charge_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'the charges and tiers of a price version are frozen once it is not a draft'); END;

CREATE TRIGGER tier_refuse_delete BEFORE DELETE ON tier
WHEN (SELECT status FROM price_version JOIN charge ON charge.price_version_id = price_version.id WHERE charge.id = OLD.charge_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'the charges and tiers of a price version are frozen once it is not a draft'); END;

CREATE TRIGGER document_buyer_refuse_update BEFORE UPDATE ON document_buyer
BEGIN SELECT RAISE(ABORT, 'what a document says about its buyer cannot be changed, and not be deleted before purge_after'); END;

CREATE TRIGGER document_buyer_refuse_delete BEFORE DELETE ON document_buyer
WHEN OLD.purge_after > date('now')
BEGIN SELECT RAISE(ABORT, 'what a document says about its buyer cannot be changed, and not be deleted before purge_after'); END;

CREATE TRIGGER document_line_refuse_insert BEFORE INSERT ON document_line
WHEN EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = NEW.document_id)
BEGIN SELECT RAISE(ABORT, 'the document is in the ledger: nothing can be added to it'); END;

CREATE TRIGGER document_tax_refuse_insert BEFORE INSERT ON document_tax
WHEN EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = NEW.document_id)
BEGIN SELECT RAISE(ABORT, 'the document is in the ledger: nothing can be added to it'); END;

CREATE TRIGGER document_buyer_refuse_insert BEFORE INSERT ON document_buyer
WHEN EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = NEW.document_id)
BEGIN SELECT RAISE(ABORT, 'the document is in the ledger: nothing can be added to it'); END;

CREATE TRIGGER line_discount_refuse_insert BEFORE INSERT ON line_discount
WHEN EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = (SELECT document_id FROM document_line WHERE id = NEW.line_id))
BEGIN SELECT RAISE(ABORT, 'the document is in the ledger: nothing can be added to it'); END;

CREATE TRIGGER ledger_posting_refuse_insert BEFORE INSERT ON ledger_posting
WHEN EXISTS (SELECT 1 FROM ledger_seal WHERE entry_id = NEW.entry_id)
BEGIN SELECT RAISE(ABORT, 'the ledger entry is sealed: nothing can be posted to it'); END;

CREATE TRIGGER ledger_seal_refuse_insert BEFORE INSERT ON ledger_seal
WHEN (SELECT count(*) FROM ledger_posting WHERE entry_id = NEW.entry_id) < 2 OR EXISTS (SELECT 1 FROM ledger_posting WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(amount_minor) <> 0)
BEGIN SELECT RAISE(ABORT, 'a ledger entry needs two postings or more that sum to zero in each currency'); END;

CREATE TRIGGER document_line_refuse_overlap BEFORE INSERT ON document_line
WHEN NEW.revision = 0 AND NEW.counts_as_billed = 1 AND NEW.kind NOT IN ('one_off', 'limit') AND NEW.service_start < (SELECT other.service_end FROM document_line AS other WHERE other.subscription_id = NEW.subscription_id AND coalesce(other.charge_id, 0) = coalesce(NEW.charge_id, 0) AND other.service_start < NEW.service_end AND other.revision = 0 AND other.counts_as_billed = 1 AND other.kind NOT IN ('one_off', 'limit') ORDER BY other.service_start DESC, other.service_end DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'two lines bill the same days of a subscription and charge'); END;

