//! What strangers can send, thrown at the library through its public doors. Each target is a function over bytes that
//! panics when a promise does not hold; the promises stand at the head of each file in `targets/`.
//!
//! `cargo test --test fuzz` tries every input of the corpus and then, for a second a target (or as many as
//! `TASKBRIDGE_FUZZ_SECONDS` says), changed ones. `tests/fuzz/guide` looks for inputs by coverage, for as long as one likes.
#![expect(clippy::unwrap_used, reason = "a target that cannot go on has failed, and the line says where")]
#![cfg_attr(guided, no_main)]

mod engine;
mod targets;

#[cfg(guided)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| engine::guided(data));

/// Cases 16, 17, 18, 19.
#[test]
fn a_signature_is_accepted_exactly_when_a_live_secret_made_it() {
    engine::run(&targets::SIGNATURE);
}

/// Cases 17, 18, 21.
#[test]
fn a_sender_is_believed_exactly_when_its_key_made_the_proof() {
    engine::run(&targets::SENDER);
}

/// Cases 21, 22.
#[test]
fn a_request_of_slack_is_kept_under_an_id_of_its_own_and_reads_one_way() {
    engine::run(&targets::SLACK);
}

#[test]
fn a_request_of_another_chat_is_kept_under_an_id_of_its_own_and_reads_one_way() {
    engine::run(&targets::DOORS);
}

/// Cases 9, 11.
#[test]
fn a_payload_reads_the_same_in_json_and_in_a_form_and_says_what_it_holds() {
    engine::run(&targets::PAYLOAD);
}

#[test]
fn a_command_is_read_as_it_was_written_and_never_from_what_is_quoted() {
    engine::run(&targets::COMMAND);
}

/// Case 77.
#[test]
fn a_fault_in_a_rule_file_has_a_place_inside_the_file() {
    engine::run(&targets::RULES);
}

/// Case 73.
#[test]
fn a_cursor_that_is_accepted_is_one_that_the_list_gave() {
    engine::run(&targets::CURSOR);
}

/// Case 64.
#[test]
fn a_strangers_text_cannot_leave_its_quotation() {
    engine::run(&targets::PROMPT);
}

/// Case 65.
#[test]
fn a_template_is_refused_or_bounded() {
    engine::run(&targets::TEMPLATE);
}

/// Cases 66, 67.
#[test]
fn a_condition_is_refused_or_bounded_and_shows_no_secret() {
    engine::run(&targets::CONDITION);
}

/// Case 47.
#[test]
fn a_start_counts_as_done_or_refused_only_when_the_answer_says_so() {
    engine::run(&targets::ANSWER);
}

/// Case 59.
#[test]
fn a_sealed_token_opens_only_unchanged_and_in_its_place() {
    engine::run(&targets::SEALED);
}
