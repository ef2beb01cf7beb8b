CREATE TABLE billing_run (
    id BIGSERIAL NOT NULL,
    through DATE NOT NULL,
    issue_date DATE NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_billing_run PRIMARY KEY (id),
    CONSTRAINT uq_billing_run_command_id UNIQUE (command_id)
);

CREATE TABLE books_closed (
    id BIGSERIAL NOT NULL,
    through DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_books_closed PRIMARY KEY (id)
);

CREATE TABLE books_reopening (
    id BIGSERIAL NOT NULL,
    step TEXT NOT NULL,
    through DATE NOT NULL,
    reason TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_books_reopening PRIMARY KEY (id),
    CONSTRAINT ck_books_reopening_step_value CHECK (step IN ('requested', 'approved', 'declined'))
);

CREATE TABLE budget (
    id BIGSERIAL NOT NULL,
    month DATE NOT NULL,
    mrr_minor BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_budget PRIMARY KEY (id)
);

CREATE TABLE command (
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    result_json TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_command PRIMARY KEY (id)
);

CREATE TABLE company_profile (
    id BIGSERIAL NOT NULL,
    effective_from DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
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
    review_above_minor BIGINT NOT NULL,
    review_lines_above INTEGER NOT NULL,
    support_limit_minor BIGINT NOT NULL,
    admin_limit_minor BIGINT NOT NULL,
    price_notice_consumer_days INTEGER NOT NULL,
    price_notice_business_days INTEGER NOT NULL,
    CONSTRAINT pk_company_profile PRIMARY KEY (id)
);

CREATE TABLE currency_rate (
    id BIGSERIAL NOT NULL,
    currency TEXT NOT NULL,
    on_date DATE NOT NULL,
    rate TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_currency_rate PRIMARY KEY (id),
    CONSTRAINT uq_currency_rate_currency_on_date_recorded_at UNIQUE (currency, on_date, recorded_at)
);

CREATE TABLE customer (
    id BIGSERIAL NOT NULL,
    external_id TEXT NOT NULL,
    created_on DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_customer PRIMARY KEY (id),
    CONSTRAINT uq_customer_external_id UNIQUE (external_id)
);

CREATE INDEX ix_customer_command_id ON customer (command_id);

CREATE TABLE import_file (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    mapping_hash TEXT NOT NULL,
    as_of DATE NOT NULL,
    rows INTEGER NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_import_file PRIMARY KEY (id),
    CONSTRAINT uq_import_file_content_hash_mapping_hash UNIQUE (content_hash, mapping_hash)
);

CREATE TABLE ledger_seal (
    entry_id BIGINT NOT NULL,
    CONSTRAINT pk_ledger_seal PRIMARY KEY (entry_id)
);

CREATE TABLE month_close (
    id BIGSERIAL NOT NULL,
    month DATE NOT NULL,
    definitions TEXT NOT NULL,
    seen_change_id BIGINT NOT NULL,
    content TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_month_close PRIMARY KEY (id)
);

CREATE TABLE number_series (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    year INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    last BIGINT NOT NULL,
    CONSTRAINT pk_number_series PRIMARY KEY (id),
    CONSTRAINT uq_number_series_kind_year UNIQUE (kind, year),
    CONSTRAINT ck_number_series_last_from_0 CHECK (last >= 0)
);

CREATE TABLE person (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id),
    CONSTRAINT uq_person_email UNIQUE (email),
    CONSTRAINT ck_person_role_value CHECK (role IN ('viewer', 'product', 'support', 'finance', 'admin'))
);

CREATE TABLE plan (
    id BIGSERIAL NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    rank INTEGER NOT NULL,
    archived BOOLEAN NOT NULL,
    CONSTRAINT pk_plan PRIMARY KEY (id),
    CONSTRAINT uq_plan_code UNIQUE (code)
);

CREATE TABLE reaction_estimate (
    id BIGSERIAL NOT NULL,
    content TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_reaction_estimate PRIMARY KEY (id)
);

CREATE TABLE revision (
    id INTEGER NOT NULL,
    value BIGINT NOT NULL,
    demo_state TEXT NOT NULL,
    CONSTRAINT pk_revision PRIMARY KEY (id)
);

CREATE TABLE saved_view (
    id BIGSERIAL NOT NULL,
    page TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    replaces_id BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_saved_view PRIMARY KEY (id),
    CONSTRAINT fk_saved_view_replaces_id_saved_view FOREIGN KEY(replaces_id) REFERENCES saved_view (id)
);

CREATE INDEX ix_saved_view_replaces_id ON saved_view (replaces_id);

CREATE TABLE scenario (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    replaces_id BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_scenario PRIMARY KEY (id),
    CONSTRAINT fk_scenario_replaces_id_scenario FOREIGN KEY(replaces_id) REFERENCES scenario (id)
);

CREATE INDEX ix_scenario_replaces_id ON scenario (replaces_id);

CREATE TABLE time_mark (
    id BIGSERIAL NOT NULL,
    on_date DATE NOT NULL,
    text TEXT NOT NULL,
    replaces_id BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_time_mark PRIMARY KEY (id),
    CONSTRAINT fk_time_mark_replaces_id_time_mark FOREIGN KEY(replaces_id) REFERENCES time_mark (id)
);

CREATE INDEX ix_time_mark_replaces_id ON time_mark (replaces_id);

CREATE TABLE vat_rule (
    id BIGSERIAL NOT NULL,
    seller_country TEXT NOT NULL,
    customer_kind TEXT NOT NULL,
    customer_country TEXT NOT NULL,
    has_vat_number BOOLEAN,
    category TEXT NOT NULL,
    treatment TEXT NOT NULL,
    rate_ppm BIGINT NOT NULL,
    valid_from DATE NOT NULL,
    valid_to DATE,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_vat_rule PRIMARY KEY (id)
);

CREATE TABLE audit_entry (
    id BIGSERIAL NOT NULL,
    command_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_audit_entry PRIMARY KEY (id),
    CONSTRAINT fk_audit_entry_command_id_command FOREIGN KEY(command_id) REFERENCES command (id),
    CONSTRAINT uq_audit_entry_hash UNIQUE (hash)
);

CREATE INDEX ix_audit_entry_command_id ON audit_entry (command_id);

CREATE TABLE billing_hold (
    id BIGSERIAL NOT NULL,
    customer_id BIGINT NOT NULL,
    held BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_billing_hold PRIMARY KEY (id),
    CONSTRAINT fk_billing_hold_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id)
);

CREATE INDEX ix_billing_hold_customer_id ON billing_hold (customer_id);

CREATE TABLE coupon (
    id BIGSERIAL NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    rate_ppm BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    duration TEXT NOT NULL,
    periods INTEGER NOT NULL,
    scope TEXT NOT NULL,
    charge_code TEXT NOT NULL,
    plan_id BIGINT,
    includes_true_up BOOLEAN NOT NULL,
    valid_from DATE,
    valid_to DATE,
    archived BOOLEAN NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_coupon PRIMARY KEY (id),
    CONSTRAINT uq_coupon_code UNIQUE (code),
    CONSTRAINT fk_coupon_plan_id_plan FOREIGN KEY(plan_id) REFERENCES plan (id)
);

CREATE INDEX ix_coupon_plan_id ON coupon (plan_id);

CREATE TABLE customer_note (
    id BIGSERIAL NOT NULL,
    customer_id BIGINT NOT NULL,
    text TEXT NOT NULL,
    replaces_id BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_customer_note PRIMARY KEY (id),
    CONSTRAINT fk_customer_note_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT fk_customer_note_replaces_id_customer_note FOREIGN KEY(replaces_id) REFERENCES customer_note (id)
);

CREATE INDEX ix_customer_note_command_id ON customer_note (command_id);

CREATE INDEX ix_customer_note_customer_id ON customer_note (customer_id);

CREATE INDEX ix_customer_note_replaces_id ON customer_note (replaces_id);

CREATE TABLE customer_version (
    id BIGSERIAL NOT NULL,
    customer_id BIGINT NOT NULL,
    effective_from DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    undoes_id BIGINT,
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
    bill_to_id BIGINT,
    einvoice_id TEXT NOT NULL,
    payment_option TEXT NOT NULL,
    channel TEXT NOT NULL,
    terms_days INTEGER,
    separate_invoices BOOLEAN NOT NULL,
    CONSTRAINT pk_customer_version PRIMARY KEY (id),
    CONSTRAINT fk_customer_version_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT fk_customer_version_bill_to_id_customer FOREIGN KEY(bill_to_id) REFERENCES customer (id)
);

CREATE INDEX ix_customer_version_bill_to_id ON customer_version (bill_to_id);

CREATE INDEX ix_customer_version_customer_id_effective_from ON customer_version (customer_id, effective_from, id);

CREATE INDEX ix_customer_version_name ON customer_version (name);

CREATE TABLE document (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    series_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    run_id BIGINT,
    customer_id BIGINT NOT NULL,
    bill_to_id BIGINT NOT NULL,
    seller_id BIGINT NOT NULL,
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
    corrects_id BIGINT,
    previous_id BIGINT,
    subtotal_minor BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    net_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    total_minor BIGINT NOT NULL,
    tax_in_company_currency_minor BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
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
    CONSTRAINT ck_document_kind_value CHECK (kind IN ('invoice', 'credit_note'))
);

CREATE INDEX ix_document_bill_to_id ON document (bill_to_id);

CREATE INDEX ix_document_corrects_id ON document (corrects_id);

CREATE INDEX ix_document_customer_id_issue_date ON document (customer_id, issue_date);

CREATE INDEX ix_document_issue_date ON document (issue_date);

CREATE INDEX ix_document_run_id ON document (run_id);

CREATE INDEX ix_document_sums ON document (currency, kind, issue_date, net_minor, tax_minor, total_minor);

CREATE INDEX ix_document_total_minor ON document (total_minor, id);

CREATE TABLE parked (
    id BIGSERIAL NOT NULL,
    run_id BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_parked PRIMARY KEY (id),
    CONSTRAINT fk_parked_run_id_billing_run FOREIGN KEY(run_id) REFERENCES billing_run (id),
    CONSTRAINT fk_parked_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id)
);

CREATE INDEX ix_parked_customer_id ON parked (customer_id);

CREATE INDEX ix_parked_run_id ON parked (run_id);

CREATE TABLE plan_margin (
    id BIGSERIAL NOT NULL,
    plan_id BIGINT NOT NULL,
    effective_from DATE NOT NULL,
    margin_ppm BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_plan_margin PRIMARY KEY (id),
    CONSTRAINT fk_plan_margin_plan_id_plan FOREIGN KEY(plan_id) REFERENCES plan (id)
);

CREATE INDEX ix_plan_margin_plan_id ON plan_margin (plan_id);

CREATE TABLE plan_policy (
    id BIGSERIAL NOT NULL,
    plan_id BIGINT NOT NULL,
    effective_from DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
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
    CONSTRAINT fk_plan_policy_plan_id_plan FOREIGN KEY(plan_id) REFERENCES plan (id)
);

CREATE INDEX ix_plan_policy_plan_id ON plan_policy (plan_id);

CREATE TABLE price_version (
    id BIGSERIAL NOT NULL,
    plan_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    currency TEXT NOT NULL,
    interval_unit TEXT NOT NULL,
    interval_count INTEGER NOT NULL,
    alignment TEXT NOT NULL,
    tax_inclusive BOOLEAN NOT NULL,
    minimum_minor BIGINT NOT NULL,
    trial_days INTEGER NOT NULL,
    status TEXT NOT NULL,
    valid_from DATE,
    note TEXT NOT NULL,
    subscription_id BIGINT,
    reason TEXT NOT NULL,
    expires_on DATE,
    approved_by TEXT NOT NULL,
    author TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE,
    published_by TEXT NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_price_version PRIMARY KEY (id),
    CONSTRAINT uq_price_version_plan_id_currency_interval_unit_interva_9edc UNIQUE (plan_id, currency, interval_unit, interval_count, number),
    CONSTRAINT fk_price_version_plan_id_plan FOREIGN KEY(plan_id) REFERENCES plan (id),
    CONSTRAINT ck_price_version_interval_from_1 CHECK (interval_count >= 1),
    CONSTRAINT ck_price_version_three_letters CHECK (length(currency) = 3),
    CONSTRAINT ck_price_version_interval_unit_value CHECK (interval_unit IN ('day', 'week', 'month', 'year')),
    CONSTRAINT ck_price_version_alignment_value CHECK (alignment IN ('calendar', 'anniversary')),
    CONSTRAINT ck_price_version_status_value CHECK (status IN ('draft', 'published', 'retired'))
);

CREATE INDEX ix_price_version_plan_id ON price_version (plan_id);

CREATE INDEX ix_price_version_subscription_id ON price_version (subscription_id);

CREATE TABLE run_chunk (
    id BIGSERIAL NOT NULL,
    run_id BIGINT NOT NULL,
    command_id TEXT NOT NULL,
    documents INTEGER NOT NULL,
    net_minor_json TEXT NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_run_chunk PRIMARY KEY (id),
    CONSTRAINT fk_run_chunk_run_id_billing_run FOREIGN KEY(run_id) REFERENCES billing_run (id),
    CONSTRAINT uq_run_chunk_command_id UNIQUE (command_id)
);

CREATE INDEX ix_run_chunk_run_id ON run_chunk (run_id);

CREATE TABLE scenario_result (
    id BIGSERIAL NOT NULL,
    scenario_id BIGINT NOT NULL,
    as_of DATE NOT NULL,
    data_hash TEXT NOT NULL,
    engine TEXT NOT NULL,
    content TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_scenario_result PRIMARY KEY (id),
    CONSTRAINT fk_scenario_result_scenario_id_scenario FOREIGN KEY(scenario_id) REFERENCES scenario (id)
);

CREATE INDEX ix_scenario_result_scenario_id ON scenario_result (scenario_id);

CREATE TABLE search_entry (
    id BIGSERIAL NOT NULL,
    customer_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    haystack TEXT NOT NULL,
    CONSTRAINT pk_search_entry PRIMARY KEY (id),
    CONSTRAINT fk_search_entry_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id)
);

CREATE INDEX ix_search_entry_customer_id ON search_entry (customer_id);

CREATE TABLE subscription (
    id BIGSERIAL NOT NULL,
    customer_id BIGINT NOT NULL,
    external_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    started_on DATE NOT NULL,
    terms_days INTEGER,
    minimum_term_until DATE,
    notice_days INTEGER NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_subscription PRIMARY KEY (id),
    CONSTRAINT fk_subscription_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id),
    CONSTRAINT uq_subscription_external_id UNIQUE (external_id),
    CONSTRAINT ck_subscription_three_letters CHECK (length(currency) = 3)
);

CREATE INDEX ix_subscription_command_id ON subscription (command_id);

CREATE INDEX ix_subscription_customer_id ON subscription (customer_id);

CREATE TABLE touch_point (
    id BIGSERIAL NOT NULL,
    source_id TEXT,
    customer_id BIGINT NOT NULL,
    occurred_on DATE NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    outcome TEXT NOT NULL,
    note TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_touch_point PRIMARY KEY (id),
    CONSTRAINT uq_touch_point_source_id UNIQUE (source_id),
    CONSTRAINT fk_touch_point_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id)
);

CREATE INDEX ix_touch_point_customer_id_occurred_on ON touch_point (customer_id, occurred_on);

CREATE TABLE adjustment (
    id BIGSERIAL NOT NULL,
    subscription_id BIGINT NOT NULL,
    price_version_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    effective_on DATE NOT NULL,
    text TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    vat_category TEXT NOT NULL,
    reason TEXT NOT NULL,
    needs_approval BOOLEAN NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_adjustment PRIMARY KEY (id),
    CONSTRAINT fk_adjustment_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_adjustment_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT ck_adjustment_amount_above_0 CHECK (amount_minor > 0),
    CONSTRAINT ck_adjustment_kind_value CHECK (kind IN ('charge', 'goodwill'))
);

CREATE INDEX ix_adjustment_command_id ON adjustment (command_id);

CREATE INDEX ix_adjustment_subscription_id ON adjustment (subscription_id);

CREATE TABLE billing_cursor (
    subscription_id BIGINT NOT NULL,
    billed_through DATE NOT NULL,
    seen_change_id BIGINT NOT NULL,
    seen_event_id BIGINT NOT NULL,
    opening DATE,
    opening_change_id BIGINT,
    next_due_on DATE,
    rebill_from DATE,
    CONSTRAINT pk_billing_cursor PRIMARY KEY (subscription_id),
    CONSTRAINT fk_billing_cursor_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id)
);

CREATE INDEX ix_billing_cursor_next_due_on ON billing_cursor (next_due_on);

CREATE TABLE charge (
    id BIGSERIAL NOT NULL,
    price_version_id BIGINT NOT NULL,
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
    CONSTRAINT ck_charge_kind_value CHECK (kind IN ('fixed', 'seat', 'usage', 'addon', 'one_off')),
    CONSTRAINT ck_charge_model_value CHECK (model IN ('flat', 'per_unit', 'graduated', 'volume', 'package', 'stairstep', 'percentage', 'graduated_percentage')),
    CONSTRAINT ck_charge_timing_value CHECK (timing IN ('in_advance', 'in_arrears'))
);

CREATE INDEX ix_charge_price_version_id ON charge (price_version_id);

CREATE TABLE document_buyer (
    document_id BIGINT NOT NULL,
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
    CONSTRAINT fk_document_buyer_document_id_document FOREIGN KEY(document_id) REFERENCES document (id)
);

CREATE INDEX ix_document_buyer_name ON document_buyer (name);

CREATE TABLE document_tax (
    id BIGSERIAL NOT NULL,
    document_id BIGINT NOT NULL,
    treatment TEXT NOT NULL,
    rate_ppm BIGINT NOT NULL,
    base_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    CONSTRAINT pk_document_tax PRIMARY KEY (id),
    CONSTRAINT uq_document_tax_document_id_treatment_rate_ppm UNIQUE (document_id, treatment, rate_ppm),
    CONSTRAINT fk_document_tax_document_id_document FOREIGN KEY(document_id) REFERENCES document (id)
);

CREATE TABLE ledger_entry (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    on_date DATE NOT NULL,
    document_id BIGINT,
    customer_id BIGINT NOT NULL,
    note TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_ledger_entry PRIMARY KEY (id),
    CONSTRAINT fk_ledger_entry_id_ledger_seal FOREIGN KEY(id) REFERENCES ledger_seal (entry_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fk_ledger_entry_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT fk_ledger_entry_customer_id_customer FOREIGN KEY(customer_id) REFERENCES customer (id)
);

CREATE INDEX ix_ledger_entry_command_id ON ledger_entry (command_id);

CREATE INDEX ix_ledger_entry_customer_id ON ledger_entry (customer_id);

CREATE INDEX ix_ledger_entry_document_id ON ledger_entry (document_id);

CREATE INDEX ix_ledger_entry_on_date ON ledger_entry (on_date);

CREATE TABLE scenario_decision (
    id BIGSERIAL NOT NULL,
    scenario_id BIGINT NOT NULL,
    decision TEXT NOT NULL,
    price_version_id BIGINT,
    note TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_scenario_decision PRIMARY KEY (id),
    CONSTRAINT fk_scenario_decision_scenario_id_scenario FOREIGN KEY(scenario_id) REFERENCES scenario (id),
    CONSTRAINT fk_scenario_decision_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id)
);

CREATE INDEX ix_scenario_decision_command_id ON scenario_decision (command_id);

CREATE INDEX ix_scenario_decision_price_version_id ON scenario_decision (price_version_id);

CREATE INDEX ix_scenario_decision_scenario_id ON scenario_decision (scenario_id);

CREATE TABLE subscription_change (
    id BIGSERIAL NOT NULL,
    subscription_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    effective_on DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    undoes_id BIGINT,
    price_version_id BIGINT,
    earlier_version_id BIGINT,
    cap_ppm BIGINT,
    floor_ppm BIGINT,
    quantity_micro BIGINT,
    item TEXT NOT NULL,
    coupon_id BIGINT,
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
    CONSTRAINT ck_subscription_change_kind_value CHECK (kind IN ('start', 'trial', 'price', 'quantity', 'addon', 'coupon', 'coupon_end', 'pause', 'resume', 'cancel', 'undo'))
);

CREATE INDEX ix_subscription_change_command_id ON subscription_change (command_id);

CREATE INDEX ix_subscription_change_coupon_id ON subscription_change (coupon_id);

CREATE INDEX ix_subscription_change_price_version_id ON subscription_change (price_version_id);

CREATE INDEX ix_subscription_change_subscription_id_effective_on ON subscription_change (subscription_id, effective_on, id);

CREATE TABLE usage_event (
    id BIGSERIAL NOT NULL,
    source_id TEXT NOT NULL,
    subscription_id BIGINT NOT NULL,
    meter TEXT NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    occurred_on DATE NOT NULL,
    quantity_micro BIGINT NOT NULL,
    amount_micro BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    CONSTRAINT pk_usage_event PRIMARY KEY (id),
    CONSTRAINT uq_usage_event_source_id UNIQUE (source_id),
    CONSTRAINT fk_usage_event_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id)
);

CREATE INDEX ix_usage_event_subscription_id_occurred_on ON usage_event (subscription_id, occurred_on);

CREATE TABLE adjustment_decision (
    id BIGSERIAL NOT NULL,
    adjustment_id BIGINT NOT NULL,
    decision TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    author TEXT NOT NULL,
    command_id TEXT NOT NULL,
    CONSTRAINT pk_adjustment_decision PRIMARY KEY (id),
    CONSTRAINT uq_adjustment_decision_adjustment_id UNIQUE (adjustment_id),
    CONSTRAINT fk_adjustment_decision_adjustment_id_adjustment FOREIGN KEY(adjustment_id) REFERENCES adjustment (id),
    CONSTRAINT ck_adjustment_decision_decision_value CHECK (decision IN ('approved', 'declined', 'withdrawn'))
);

CREATE INDEX ix_adjustment_decision_command_id ON adjustment_decision (command_id);

CREATE TABLE document_line (
    id BIGSERIAL NOT NULL,
    document_id BIGINT NOT NULL,
    position INTEGER NOT NULL,
    subscription_id BIGINT NOT NULL,
    price_version_id BIGINT NOT NULL,
    charge_id BIGINT,
    kind TEXT NOT NULL,
    service_start DATE NOT NULL,
    service_end DATE NOT NULL,
    period_start DATE NOT NULL,
    period_end DATE NOT NULL,
    timing TEXT NOT NULL,
    revision INTEGER NOT NULL,
    corrects_id BIGINT,
    adjustment_id BIGINT,
    counts_as_billed BOOLEAN NOT NULL,
    quantity_micro BIGINT NOT NULL,
    period_amount_minor BIGINT NOT NULL,
    period_discount_minor BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    net_minor BIGINT NOT NULL,
    tax_treatment TEXT NOT NULL,
    tax_rate_ppm BIGINT NOT NULL,
    CONSTRAINT pk_document_line PRIMARY KEY (id),
    CONSTRAINT fk_document_line_document_id_document FOREIGN KEY(document_id) REFERENCES document (id),
    CONSTRAINT fk_document_line_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_document_line_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_document_line_charge_id_charge FOREIGN KEY(charge_id) REFERENCES charge (id),
    CONSTRAINT uq_document_line_adjustment_id UNIQUE (adjustment_id),
    CONSTRAINT fk_document_line_adjustment_id_adjustment FOREIGN KEY(adjustment_id) REFERENCES adjustment (id),
    CONSTRAINT ck_document_line_service CHECK (service_end >= service_start),
    CONSTRAINT ck_document_line_period CHECK (period_end >= period_start),
    CONSTRAINT ck_document_line_revision_from_0 CHECK (revision >= 0)
);

CREATE INDEX ix_document_line_document_id ON document_line (document_id);

CREATE INDEX ix_document_line_subscription_id_period_end ON document_line (subscription_id, period_end);

CREATE UNIQUE INDEX uq_document_line_billed_once ON document_line (subscription_id, coalesce(charge_id, 0), service_start, service_end, revision, kind, timing) WHERE counts_as_billed;

CREATE TABLE ledger_posting (
    id BIGSERIAL NOT NULL,
    entry_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    CONSTRAINT pk_ledger_posting PRIMARY KEY (id),
    CONSTRAINT fk_ledger_posting_entry_id_ledger_entry FOREIGN KEY(entry_id) REFERENCES ledger_entry (id),
    CONSTRAINT ck_ledger_posting_three_letters CHECK (length(currency) = 3)
);

CREATE INDEX ix_ledger_posting_account ON ledger_posting (account);

CREATE INDEX ix_ledger_posting_entry_id ON ledger_posting (entry_id);

CREATE TABLE migration_plan (
    id BIGSERIAL NOT NULL,
    scenario_id BIGINT NOT NULL,
    subscription_id BIGINT NOT NULL,
    price_version_id BIGINT NOT NULL,
    from_version_id BIGINT NOT NULL,
    cap_ppm BIGINT,
    floor_ppm BIGINT,
    before_twelfths INTEGER NOT NULL,
    after_twelfths INTEGER NOT NULL,
    effective_on DATE NOT NULL,
    notice_on DATE NOT NULL,
    wave INTEGER NOT NULL,
    change_id BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_migration_plan PRIMARY KEY (id),
    CONSTRAINT uq_migration_plan_scenario_id_subscription_id_price_version_id UNIQUE (scenario_id, subscription_id, price_version_id),
    CONSTRAINT fk_migration_plan_scenario_id_scenario FOREIGN KEY(scenario_id) REFERENCES scenario (id),
    CONSTRAINT fk_migration_plan_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id),
    CONSTRAINT fk_migration_plan_price_version_id_price_version FOREIGN KEY(price_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_migration_plan_from_version_id_price_version FOREIGN KEY(from_version_id) REFERENCES price_version (id),
    CONSTRAINT fk_migration_plan_change_id_subscription_change FOREIGN KEY(change_id) REFERENCES subscription_change (id)
);

CREATE INDEX ix_migration_plan_change_id ON migration_plan (change_id);

CREATE INDEX ix_migration_plan_subscription_id ON migration_plan (subscription_id);

CREATE TABLE payment (
    id BIGSERIAL NOT NULL,
    entry_id BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    document_id BIGINT,
    paid_on DATE NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    payment_option TEXT NOT NULL,
    note TEXT NOT NULL,
    source_id TEXT,
    undoes_id BIGINT,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
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
    CONSTRAINT ck_payment_three_letters CHECK (length(currency) = 3)
);

CREATE INDEX ix_payment_command_id ON payment (command_id);

CREATE INDEX ix_payment_customer_id ON payment (customer_id);

CREATE INDEX ix_payment_document_id ON payment (document_id);

CREATE TABLE tier (
    id BIGSERIAL NOT NULL,
    charge_id BIGINT NOT NULL,
    position INTEGER NOT NULL,
    up_to TEXT,
    unit_amount TEXT NOT NULL,
    flat_amount TEXT NOT NULL,
    package_size TEXT,
    rate_percent TEXT NOT NULL,
    CONSTRAINT pk_tier PRIMARY KEY (id),
    CONSTRAINT uq_tier_charge_id_position UNIQUE (charge_id, position),
    CONSTRAINT fk_tier_charge_id_charge FOREIGN KEY(charge_id) REFERENCES charge (id)
);

CREATE INDEX ix_tier_charge_id ON tier (charge_id);

CREATE TABLE line_discount (
    id BIGSERIAL NOT NULL,
    line_id BIGINT NOT NULL,
    grant_id BIGINT NOT NULL,
    period_start DATE NOT NULL,
    amount_minor BIGINT NOT NULL,
    CONSTRAINT pk_line_discount PRIMARY KEY (id),
    CONSTRAINT fk_line_discount_line_id_document_line FOREIGN KEY(line_id) REFERENCES document_line (id),
    CONSTRAINT fk_line_discount_grant_id_subscription_change FOREIGN KEY(grant_id) REFERENCES subscription_change (id)
);

CREATE INDEX ix_line_discount_grant_id ON line_discount (grant_id);

CREATE INDEX ix_line_discount_line_id ON line_discount (line_id);

CREATE FUNCTION adjustment_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'adjustment is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER adjustment_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON adjustment FOR EACH STATEMENT EXECUTE FUNCTION adjustment_refuse_change();

CREATE FUNCTION adjustment_decision_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'adjustment_decision is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER adjustment_decision_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON adjustment_decision FOR EACH STATEMENT EXECUTE FUNCTION adjustment_decision_refuse_change();

CREATE FUNCTION audit_entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit_entry is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER audit_entry_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse_change();

CREATE FUNCTION books_closed_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'books_closed is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER books_closed_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON books_closed FOR EACH STATEMENT EXECUTE FUNCTION books_closed_refuse_change();

CREATE FUNCTION books_reopening_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'books_reopening is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER books_reopening_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON books_reopening FOR EACH STATEMENT EXECUTE FUNCTION books_reopening_refuse_change();

CREATE FUNCTION budget_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'budget is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER budget_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON budget FOR EACH STATEMENT EXECUTE FUNCTION budget_refuse_change();

CREATE FUNCTION command_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'command is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER command_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON command FOR EACH STATEMENT EXECUTE FUNCTION command_refuse_change();

CREATE FUNCTION company_profile_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'company_profile is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER company_profile_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON company_profile FOR EACH STATEMENT EXECUTE FUNCTION company_profile_refuse_change();

CREATE FUNCTION currency_rate_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'currency_rate is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER currency_rate_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON currency_rate FOR EACH STATEMENT EXECUTE FUNCTION currency_rate_refuse_change();

CREATE FUNCTION customer_note_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'customer_note is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER customer_note_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON customer_note FOR EACH STATEMENT EXECUTE FUNCTION customer_note_refuse_change();

CREATE FUNCTION customer_version_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'customer_version is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER customer_version_refuse_change BEFORE DELETE OR TRUNCATE ON customer_version FOR EACH STATEMENT EXECUTE FUNCTION customer_version_refuse_change();

CREATE FUNCTION document_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'document is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER document_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON document FOR EACH STATEMENT EXECUTE FUNCTION document_refuse_change();

CREATE FUNCTION document_line_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'document_line is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER document_line_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON document_line FOR EACH STATEMENT EXECUTE FUNCTION document_line_refuse_change();

CREATE FUNCTION document_tax_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'document_tax is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER document_tax_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON document_tax FOR EACH STATEMENT EXECUTE FUNCTION document_tax_refuse_change();

CREATE FUNCTION ledger_entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'ledger_entry is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER ledger_entry_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_refuse_change();

CREATE FUNCTION ledger_posting_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'ledger_posting is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER ledger_posting_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_posting FOR EACH STATEMENT EXECUTE FUNCTION ledger_posting_refuse_change();

CREATE FUNCTION ledger_seal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'ledger_seal is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER ledger_seal_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_seal FOR EACH STATEMENT EXECUTE FUNCTION ledger_seal_refuse_change();

CREATE FUNCTION line_discount_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'line_discount is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER line_discount_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON line_discount FOR EACH STATEMENT EXECUTE FUNCTION line_discount_refuse_change();

CREATE FUNCTION month_close_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'month_close is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER month_close_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON month_close FOR EACH STATEMENT EXECUTE FUNCTION month_close_refuse_change();

CREATE FUNCTION payment_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'payment is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER payment_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON payment FOR EACH STATEMENT EXECUTE FUNCTION payment_refuse_change();

CREATE FUNCTION plan_margin_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'plan_margin is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER plan_margin_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON plan_margin FOR EACH STATEMENT EXECUTE FUNCTION plan_margin_refuse_change();

CREATE FUNCTION saved_view_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'saved_view is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER saved_view_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON saved_view FOR EACH STATEMENT EXECUTE FUNCTION saved_view_refuse_change();

CREATE FUNCTION scenario_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'scenario is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER scenario_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON scenario FOR EACH STATEMENT EXECUTE FUNCTION scenario_refuse_change();

CREATE FUNCTION reaction_estimate_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'reaction_estimate is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER reaction_estimate_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON reaction_estimate FOR EACH STATEMENT EXECUTE FUNCTION reaction_estimate_refuse_change();

CREATE FUNCTION scenario_decision_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'scenario_decision is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER scenario_decision_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON scenario_decision FOR EACH STATEMENT EXECUTE FUNCTION scenario_decision_refuse_change();

CREATE FUNCTION scenario_result_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'scenario_result is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER scenario_result_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON scenario_result FOR EACH STATEMENT EXECUTE FUNCTION scenario_result_refuse_change();

CREATE FUNCTION subscription_change_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'subscription_change is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER subscription_change_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON subscription_change FOR EACH STATEMENT EXECUTE FUNCTION subscription_change_refuse_change();

CREATE FUNCTION time_mark_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'time_mark is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER time_mark_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON time_mark FOR EACH STATEMENT EXECUTE FUNCTION time_mark_refuse_change();

CREATE FUNCTION usage_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'usage_event is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER usage_event_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_event FOR EACH STATEMENT EXECUTE FUNCTION usage_event_refuse_change();

CREATE FUNCTION vat_rule_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'vat_rule is append-only: its rows are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER vat_rule_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON vat_rule FOR EACH STATEMENT EXECUTE FUNCTION vat_rule_refuse_change();

CREATE FUNCTION price_version_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a price version is frozen once it is published; it may only be retired' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER price_version_refuse_truncate BEFORE TRUNCATE ON price_version FOR EACH STATEMENT EXECUTE FUNCTION price_version_refuse_truncate();

CREATE FUNCTION document_buyer_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'what a document says about its buyer cannot be changed, and not be deleted before purge_after' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER document_buyer_refuse_truncate BEFORE TRUNCATE ON document_buyer FOR EACH STATEMENT EXECUTE FUNCTION document_buyer_refuse_truncate();

CREATE FUNCTION document_buyer_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'what a document says about its buyer cannot be changed, and not be deleted before purge_after' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER document_buyer_refuse_update BEFORE UPDATE ON document_buyer FOR EACH STATEMENT EXECUTE FUNCTION document_buyer_refuse_update();

CREATE FUNCTION customer_version_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF NEW.id IS DISTINCT FROM OLD.id OR NEW.customer_id IS DISTINCT FROM OLD.customer_id OR NEW.effective_from IS DISTINCT FROM OLD.effective_from OR NEW.recorded_at IS DISTINCT FROM OLD.recorded_at OR NEW.author IS DISTINCT FROM OLD.author OR NEW.undoes_id IS DISTINCT FROM OLD.undoes_id OR NEW.kind IS DISTINCT FROM OLD.kind OR NEW.country IS DISTINCT FROM OLD.country OR NEW.language IS DISTINCT FROM OLD.language OR NEW.bill_to_id IS DISTINCT FROM OLD.bill_to_id OR NEW.payment_option IS DISTINCT FROM OLD.payment_option OR NEW.channel IS DISTINCT FROM OLD.channel OR NEW.terms_days IS DISTINCT FROM OLD.terms_days OR NEW.separate_invoices IS DISTINCT FROM OLD.separate_invoices OR (NEW.name IS DISTINCT FROM OLD.name AND NEW.name <> '') OR (NEW.contact IS DISTINCT FROM OLD.contact AND NEW.contact <> '') OR (NEW.address IS DISTINCT FROM OLD.address AND NEW.address <> '') OR (NEW.postal_code IS DISTINCT FROM OLD.postal_code AND NEW.postal_code <> '') OR (NEW.city IS DISTINCT FROM OLD.city AND NEW.city <> '') OR (NEW.emails IS DISTINCT FROM OLD.emails AND NEW.emails <> '') OR (NEW.phone IS DISTINCT FROM OLD.phone AND NEW.phone <> '') OR (NEW.organisation_number IS DISTINCT FROM OLD.organisation_number AND NEW.organisation_number <> '') OR (NEW.vat_number IS DISTINCT FROM OLD.vat_number AND NEW.vat_number <> '') OR (NEW.reference IS DISTINCT FROM OLD.reference AND NEW.reference <> '') OR (NEW.purchase_order IS DISTINCT FROM OLD.purchase_order AND NEW.purchase_order <> '') OR (NEW.einvoice_id IS DISTINCT FROM OLD.einvoice_id AND NEW.einvoice_id <> '') THEN RAISE EXCEPTION 'customer_version is append-only: what it says about a person may only be emptied' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NEW;
END
$$;

CREATE TRIGGER customer_version_refuse_update BEFORE UPDATE ON customer_version FOR EACH ROW EXECUTE FUNCTION customer_version_refuse_update();

CREATE FUNCTION price_version_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (OLD.status = 'draft' AND OLD.status || '>' || NEW.status NOT IN ('draft>draft', 'draft>published')) OR (OLD.status <> 'draft' AND (NEW.id IS DISTINCT FROM OLD.id OR NEW.plan_id IS DISTINCT FROM OLD.plan_id OR NEW.number IS DISTINCT FROM OLD.number OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.interval_unit IS DISTINCT FROM OLD.interval_unit OR NEW.interval_count IS DISTINCT FROM OLD.interval_count OR NEW.alignment IS DISTINCT FROM OLD.alignment OR NEW.tax_inclusive IS DISTINCT FROM OLD.tax_inclusive OR NEW.minimum_minor IS DISTINCT FROM OLD.minimum_minor OR NEW.trial_days IS DISTINCT FROM OLD.trial_days OR NEW.valid_from IS DISTINCT FROM OLD.valid_from OR NEW.note IS DISTINCT FROM OLD.note OR NEW.subscription_id IS DISTINCT FROM OLD.subscription_id OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.expires_on IS DISTINCT FROM OLD.expires_on OR NEW.approved_by IS DISTINCT FROM OLD.approved_by OR NEW.author IS DISTINCT FROM OLD.author OR NEW.recorded_at IS DISTINCT FROM OLD.recorded_at OR NEW.published_at IS DISTINCT FROM OLD.published_at OR NEW.published_by IS DISTINCT FROM OLD.published_by OR OLD.status || '>' || NEW.status NOT IN ('published>published', 'published>retired', 'retired>retired'))) THEN RAISE EXCEPTION 'a price version is frozen once it is published; it may only be retired' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NEW;
END
$$;

CREATE TRIGGER price_version_refuse_update BEFORE UPDATE ON price_version FOR EACH ROW EXECUTE FUNCTION price_version_refuse_update();

CREATE FUNCTION price_version_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF OLD.status <> 'draft' THEN RAISE EXCEPTION 'a price version is frozen once it is published; it may only be retired' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN OLD;
END
$$;

CREATE TRIGGER price_version_refuse_delete BEFORE DELETE ON price_version FOR EACH ROW EXECUTE FUNCTION price_version_refuse_delete();

CREATE FUNCTION document_buyer_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF OLD.purge_after > CURRENT_DATE THEN RAISE EXCEPTION 'what a document says about its buyer cannot be changed, and not be deleted before purge_after' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN OLD;
END
$$;

CREATE TRIGGER document_buyer_refuse_delete BEFORE DELETE ON document_buyer FOR EACH ROW EXECUTE FUNCTION document_buyer_refuse_delete();

CREATE FUNCTION charge_refuse_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (SELECT status FROM price_version WHERE id = NEW.price_version_id FOR SHARE) <> 'draft' THEN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NEW;
END
$$;

CREATE TRIGGER charge_refuse_insert BEFORE INSERT ON charge FOR EACH ROW EXECUTE FUNCTION charge_refuse_insert();

CREATE FUNCTION charge_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (SELECT status FROM price_version WHERE id = OLD.price_version_id FOR SHARE) <> 'draft' OR (SELECT status FROM price_version WHERE id = NEW.price_version_id FOR SHARE) <> 'draft' THEN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NEW;
END
$$;

CREATE TRIGGER charge_refuse_update BEFORE UPDATE ON charge FOR EACH ROW EXECUTE FUNCTION charge_refuse_update();

CREATE FUNCTION charge_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (SELECT status FROM price_version WHERE id = OLD.price_version_id FOR SHARE) <> 'draft' THEN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN OLD;
END
$$;

CREATE TRIGGER charge_refuse_delete BEFORE DELETE ON charge FOR EACH ROW EXECUTE FUNCTION charge_refuse_delete();

CREATE FUNCTION charge_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER charge_refuse_truncate BEFORE TRUNCATE ON charge FOR EACH STATEMENT EXECUTE FUNCTION charge_refuse_truncate();

CREATE FUNCTION tier_refuse_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (SELECT status FROM price_version WHERE id = (SELECT price_version_id FROM charge WHERE id = NEW.charge_id) FOR SHARE) <> 'draft' THEN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NEW;
END
$$;

CREATE TRIGGER tier_refuse_insert BEFORE INSERT ON tier FOR EACH ROW EXECUTE FUNCTION tier_refuse_insert();

CREATE FUNCTION tier_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (SELECT status FROM price_version WHERE id = (SELECT price_version_id FROM charge WHERE id = OLD.charge_id) FOR SHARE) <> 'draft' OR (SELECT status FROM price_version WHERE id = (SELECT price_version_id FROM charge WHERE id = NEW.charge_id) FOR SHARE) <> 'draft' THEN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NEW;
END
$$;

CREATE TRIGGER tier_refuse_update BEFORE UPDATE ON tier FOR EACH ROW EXECUTE FUNCTION tier_refuse_update();

CREATE FUNCTION tier_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF (SELECT status FROM price_version WHERE id = (SELECT price_version_id FROM charge WHERE id = OLD.charge_id) FOR SHARE) <> 'draft' THEN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN OLD;
END
$$;

CREATE TRIGGER tier_refuse_delete BEFORE DELETE ON tier FOR EACH ROW EXECUTE FUNCTION tier_refuse_delete();

CREATE FUNCTION tier_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the charges and tiers of a price version are frozen once it is not a draft' USING ERRCODE = 'integrity_constraint_violation'; END
$$;

CREATE TRIGGER tier_refuse_truncate BEFORE TRUNCATE ON tier FOR EACH STATEMENT EXECUTE FUNCTION tier_refuse_truncate();

CREATE FUNCTION document_line_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM inserted WHERE EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = inserted.document_id))
THEN RAISE EXCEPTION 'the document is in the ledger: nothing can be added to it' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER document_line_refuse_issued AFTER INSERT ON document_line REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION document_line_refuse_issued();

CREATE FUNCTION document_tax_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM inserted WHERE EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = inserted.document_id))
THEN RAISE EXCEPTION 'the document is in the ledger: nothing can be added to it' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER document_tax_refuse_issued AFTER INSERT ON document_tax REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION document_tax_refuse_issued();

CREATE FUNCTION document_buyer_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM inserted WHERE EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = inserted.document_id))
THEN RAISE EXCEPTION 'the document is in the ledger: nothing can be added to it' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER document_buyer_refuse_issued AFTER INSERT ON document_buyer REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION document_buyer_refuse_issued();

CREATE FUNCTION line_discount_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM inserted WHERE EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = (SELECT document_id FROM document_line WHERE id = inserted.line_id)))
THEN RAISE EXCEPTION 'the document is in the ledger: nothing can be added to it' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER line_discount_refuse_issued AFTER INSERT ON line_discount REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION line_discount_refuse_issued();

CREATE FUNCTION ledger_posting_refuse_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM inserted WHERE EXISTS (SELECT 1 FROM ledger_seal WHERE entry_id = inserted.entry_id))
THEN RAISE EXCEPTION 'the ledger entry is sealed: nothing can be posted to it' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER ledger_posting_refuse_sealed AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION ledger_posting_refuse_sealed();

CREATE FUNCTION ledger_seal_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM inserted WHERE (SELECT count(*) FROM ledger_posting WHERE entry_id = inserted.entry_id) < 2 OR EXISTS (SELECT 1 FROM ledger_posting WHERE entry_id = inserted.entry_id GROUP BY currency HAVING sum(amount_minor) <> 0))
THEN RAISE EXCEPTION 'a ledger entry needs two postings or more that sum to zero in each currency' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER ledger_seal_refuse_unbalanced AFTER INSERT ON ledger_seal REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION ledger_seal_refuse_unbalanced();

CREATE FUNCTION document_line_refuse_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
PERFORM pg_advisory_xact_lock(hashtext('forbli.document_line'));
IF EXISTS (SELECT 1 FROM inserted WHERE inserted.revision = 0 AND inserted.counts_as_billed AND inserted.kind NOT IN ('one_off', 'limit') AND inserted.service_start < (SELECT other.service_end FROM document_line AS other WHERE other.subscription_id = inserted.subscription_id AND coalesce(other.charge_id, 0) = coalesce(inserted.charge_id, 0) AND other.service_start < inserted.service_end AND other.revision = 0 AND other.counts_as_billed AND other.kind NOT IN ('one_off', 'limit') AND other.id <> inserted.id ORDER BY other.service_start DESC, other.service_end DESC LIMIT 1))
THEN RAISE EXCEPTION 'two lines bill the same days of a subscription and charge' USING ERRCODE = 'integrity_constraint_violation'; END IF;
RETURN NULL;
END
$$;

CREATE TRIGGER document_line_refuse_overlap AFTER INSERT ON document_line REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION document_line_refuse_overlap();

