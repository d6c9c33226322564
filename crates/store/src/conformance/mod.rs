//! The suite that every backend passes: the traits' doc comments as cases.
//!
//! A backend says how its storage is made, how its process dies and how it comes back ([`Backend`], [`Instance`]);
//! [`conformance_suite!`](crate::conformance_suite) makes a test of every case. Nothing here knows a backend, sleeps, or
//! reads the clock: times are fixed, ids are seeded. What a case sees, it sees through the traits.
//!
//! ```ignore
//! store::conformance_suite!(MyBackend);
//! ```
#![allow(
    clippy::unwrap_used,
    reason = "these are tests, kept in a library so that every backend can run them"
)]
#![allow(clippy::missing_panics_doc, reason = "a case that fails panics")]

pub mod api_keys;
pub mod audit;
pub mod cancelling;
pub mod claiming;
pub mod crashes;
pub mod delivery_lists;
pub mod endpoints;
pub mod event_lists;
pub mod health;
pub mod histories;
pub mod maintenance;
pub mod nodes;
pub mod once;
pub mod publishing;
pub mod recording;
pub mod retrying;
pub mod sealing;
pub mod secrets;
pub mod sessions;
pub mod stage;
pub mod tallies;
pub mod tenants;
pub mod testing;
pub mod undelivered;
pub mod worlds;

use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;

use crate::Store;
use crate::vault::Vault;
pub use stage::Stage;

/// The master key of fresh storage.
pub const KEY: [u8; 32] = [7; 32];

/// How a backend gets its storage.
#[async_trait]
pub trait Backend: Send + Sync {
    /// A store on fresh, empty storage, opened at `now`.
    async fn fresh(&self, now: Timestamp) -> Box<dyn Instance>;
}

/// Storage with one process on it.
#[async_trait]
pub trait Instance: Send + Sync {
    fn store(&self) -> Arc<dyn Store>;

    /// What a process that comes later seals and opens with.
    fn opens_with(&mut self, vault: Vault);

    /// The process dies without a word and another takes its place on the same storage: what was answered is there, and
    /// the claims of the first are free as of `now`. A backend whose processes watch each other lets it be noticed here.
    async fn crash_and_reopen(&mut self, now: Timestamp);

    /// The process closes its store in order, and another opens it.
    async fn close_and_reopen(&mut self, now: Timestamp);

    /// Another live process on the same storage; `None` where the backend allows one at a time.
    async fn second(&self, now: Timestamp) -> Option<Arc<dyn Store>>;
}

/// One `#[tokio::test]` per case, for the [`Backend`](conformance::Backend) that the expression makes. The calling crate
/// needs `tokio` with `macros` and `rt`.
#[macro_export]
macro_rules! conformance_suite {
    ($backend:expr) => {
        $crate::conformance_cases! { $backend;
            publishing {
                an_event_reads_back_as_it_was_published,
                payloads_are_kept_byte_for_byte,
                the_order_and_the_reasons_of_the_considered_are_kept,
                a_delivery_is_pending_until_it_is_held_and_delivering_then,
                a_batch_of_a_thousand_is_stored_whole,
                a_publication_is_all_or_nothing,
                one_that_fails_spoils_no_other_that_comes_with_it,
                nothing_to_publish_is_no_fault,
                an_id_with_other_random_bits_is_not_found,
                publishers_at_once_lose_nothing,
            }
            event_lists {
                events_are_listed_newest_first_however_long_the_page,
                a_listed_event_is_complete,
                events_of_one_millisecond_are_listed_by_id,
                a_cursor_of_events_neither_repeats_nor_skips_while_new_ones_come,
                since_is_inclusive_and_until_exclusive_for_events,
                filters_of_events_hold_alone_and_together,
                events_of_tests_are_hidden,
            }
            undelivered {
                what_is_unfinished_failed_cancelled_or_skipped_is_undelivered,
                an_event_is_undelivered_until_its_last_endpoint_has_it,
                a_later_attempt_that_succeeds_delivers,
                a_retry_that_succeeds_delivers_also_days_later,
                a_retry_that_fails_leaves_a_success_what_it_is,
                a_retry_that_fails_changes_nothing_of_a_failure,
                undelivered_goes_with_the_other_filters_and_with_each_world,
            }
            worlds {
                endpoints_are_seen_by_their_own_world_only,
                a_foreign_endpoint_cannot_be_touched,
                events_are_seen_by_their_own_world_only,
                a_filter_never_widens_a_world,
                deliveries_are_seen_by_the_world_of_their_endpoint,
                the_log_outlives_the_endpoint_in_the_same_worlds,
                one_id_as_location_company_and_app_is_three_worlds,
                a_large_company_sees_exactly_its_many_locations,
                a_location_that_changes_its_company_changes_worlds,
            }
            once {
                a_key_is_used_once_and_its_answer_is_kept,
                a_key_counts_for_its_owner_and_path_alone,
                an_answer_that_expired_is_gone_and_its_key_free,
                of_many_with_one_key_at_once_one_has_its_effect,
                a_call_that_fails_keeps_no_answer,
                an_endpoint_and_its_answer_are_stored_together,
                a_used_key_leaves_an_endpoint_as_it_is,
                a_used_key_leaves_a_delivery_as_it_is,
                a_retry_and_its_answer_are_stored_together,
                a_kept_answer_survives_a_crash,
                answers_keep_odd_keys_and_large_bodies,
            }
            endpoints {
                an_endpoint_reads_back_as_it_was_created_also_after_a_restart,
                edges_of_an_endpoint_are_told_apart,
                each_owner_has_as_many_endpoints_as_the_limit_says,
                the_limit_holds_when_many_are_created_at_once,
                a_patch_changes_what_it_names_and_nothing_else,
                a_deleted_endpoint_is_gone_everywhere,
                the_engine_disables_with_its_reason,
                what_a_receiver_said_does_not_disable_the_next,
                an_endpoint_that_is_not_there_cannot_be_disabled,
                endpoints_are_listed_newest_first_by_pages_and_owners,
                a_cursor_of_endpoints_survives_changes_and_deletions,
            }
            secrets {
                during_grace_both_secrets_are_kept,
                without_grace_the_new_secret_counts_at_once,
                a_second_rotation_waits_for_the_end_of_the_grace,
                a_promotion_ends_a_running_grace_and_needs_one,
                a_grace_above_the_limit_is_refused,
                of_many_rotations_at_once_one_begins,
            }
            claiming {
                a_claimed_delivery_is_complete,
                only_what_is_due_is_claimed_earliest_first,
                of_the_same_due_time_the_older_comes_first,
                a_wish_brings_no_more_than_its_limit,
                every_wish_of_a_call_is_answered,
                what_is_held_is_not_granted,
                claimers_at_once_never_get_the_same_delivery,
                an_endpoint_that_is_not_enabled_is_granted_nothing,
                a_deleted_endpoint_is_granted_nothing,
                what_waits_for_an_endpoint_disabled_by_hand_is_shown_as_waiting,
                a_release_gives_the_claim_back_until_it_is_due,
                a_release_that_comes_again_frees_nothing_that_is_held_anew,
                a_release_of_what_is_not_held_changes_nothing,
                due_endpoints_come_in_pages_by_their_ids,
                a_retry_is_claimed_with_its_origin,
            }
            health {
                a_note_reads_back_also_after_a_restart_until_it_is_healthy_again,
                what_makes_another_receiver_of_an_endpoint_forgets_its_health,
                a_note_of_a_receiver_that_is_no_longer_changes_nothing,
                what_an_open_circuit_holds_back_is_shown_as_waiting,
                what_an_open_circuit_holds_back_can_be_claimed_all_the_same,
            }
            recording {
                a_success_ends_the_delivery_with_its_attempt_in_the_log,
                an_attempt_reads_back_as_it_was_recorded,
                every_outcome_reads_back,
                a_failure_moves_the_due_time_and_gives_the_claim_up,
                attempts_are_listed_in_order_through_to_the_end,
                an_end_has_its_reason_and_the_status_that_goes_with_it,
                one_call_records_many_and_answers_in_order,
                a_record_under_another_claim_is_lost_and_changes_nothing,
                a_record_without_a_claim_is_lost_and_changes_nothing,
                a_record_of_nothing_is_lost,
                the_same_record_again_is_lost_and_logged_once,
                a_record_that_comes_again_is_lost_although_the_delivery_is_held_anew,
                of_two_records_of_one_claim_at_once_one_applies,
                a_record_after_a_cancellation_is_lost_and_its_attempt_logged,
                a_late_attempt_follows_the_earlier_ones,
                a_claim_that_was_adopted_is_fenced,
            }
            cancelling {
                an_unfinished_delivery_is_cancelled_held_or_not,
                a_finished_delivery_cannot_be_cancelled,
                an_unknown_delivery_is_not_found,
                what_waits_for_a_deleted_endpoint_can_be_cancelled,
                an_endpoints_deliveries_end_in_slices,
                what_is_held_is_not_ended,
            }
            retrying {
                a_retry_of_a_finished_delivery_is_a_new_one_of_the_same_event,
                a_cancelled_delivery_can_be_retried,
                a_retry_can_be_retried_as_often_as_one_likes,
                a_retry_of_an_unfinished_delivery_makes_it_due_now,
                a_retry_never_puts_a_delivery_off,
                a_retry_of_a_held_delivery_leaves_it_as_it_is,
                nothing_is_retried_to_an_endpoint_that_is_not_enabled,
            }
            testing {
                a_test_is_logged_with_its_one_attempt,
                a_test_is_listed_among_its_endpoints_deliveries,
                a_test_of_a_disabled_endpoint_is_logged_too,
            }
            delivery_lists {
                deliveries_are_listed_newest_first_however_long_the_page,
                beside_a_list_stands_the_last_attempt_of_each,
                filters_of_deliveries_hold_alone_and_together,
                since_is_inclusive_and_until_exclusive_for_deliveries,
                a_cursor_of_deliveries_neither_repeats_nor_skips_what_changes,
                a_cursor_within_a_status_keeps_what_stays_in_it,
                a_listing_that_finds_little_goes_on_to_its_end,
                an_events_deliveries_come_oldest_first,
            }
            crashes {
                a_crash_after_publishing_sends_the_same_event,
                a_crash_between_attempt_and_record_repeats_the_attempt,
                a_recorded_outcome_survives_a_crash,
                a_record_for_what_ended_before_the_crash_is_logged_there,
                endpoints_survive_a_crash_with_their_last_change,
                many_crashes_lose_and_repeat_nothing,
                an_orderly_restart_keeps_what_was_held_and_what_waits,
            }
            histories {
                any_history_goes_as_the_model_says,
            }
            tenants {
                a_location_is_put_replaced_and_forgotten,
                a_forgotten_location_keeps_its_endpoints_and_its_log,
                an_app_is_put_replaced_and_forgotten,
                foreign_locations_and_apps_are_not_found,
                an_install_publishes_its_event_with_it,
                an_install_again_publishes_nothing,
                of_many_installs_at_once_one_publishes,
                an_uninstall_publishes_its_event_with_it,
                what_is_not_installed_cannot_be_uninstalled,
                an_install_is_all_or_nothing,
                installs_survive_a_crash,
                a_forgotten_app_loses_its_installs_and_keeps_its_endpoints,
            }
            api_keys {
                a_key_reads_back_and_is_found_by_its_hash,
                a_deleted_key_is_gone_at_once_and_for_good,
                keys_are_seen_and_deleted_by_their_own_world_only,
                nobody_makes_a_key_for_another_world,
                a_used_idempotency_key_makes_no_api_key,
                each_owner_has_as_many_keys_as_the_limit_says,
                when_a_key_was_last_used_is_told_at_once_and_kept_when_asked_to,
            }
            sessions {
                a_session_is_opened_once_by_its_code_and_found_by_its_token,
                a_code_that_is_too_old_opens_nothing,
                a_revoked_session_is_gone_at_once_and_for_good,
                sessions_are_seen_and_revoked_by_their_own_world_only,
                nobody_makes_a_session_for_another_world,
                each_owner_has_as_many_sessions_as_the_limit_says,
                sessions_that_have_ended_are_swept,
                what_a_company_gave_ends_when_the_location_leaves_it,
            }
            audit {
                a_change_and_its_entry_are_stored_together,
                who_is_gone_changes_nothing,
                a_change_that_fails_or_was_made_before_leaves_no_entry,
                every_change_is_told_with_its_object_before_and_after,
                entries_are_seen_by_the_world_of_their_object_only,
                filters_of_the_audit_log_hold_alone_and_together,
                what_is_older_than_the_audit_horizon_goes_in_slices,
            }
            tallies {
                attempts_are_counted_in_the_span_in_which_they_ended,
                what_is_recorded_again_is_counted_once_and_what_comes_late_is_counted,
                every_window_adds_up_to_the_same_before_and_after_a_sweep,
                what_no_window_shows_is_swept,
                test_sends_are_not_counted,
                tallies_are_seen_by_the_world_of_their_endpoint_and_go_with_it,
                tallies_survive_a_crash_with_the_outcomes_they_count,
            }
            sealing {
                after_a_rotation_everything_opens_with_the_new_key_alone,
                a_rotation_goes_in_slices_and_is_begun_again_after_a_crash,
                what_is_written_while_a_rotation_runs_is_under_the_new_key,
                what_was_resealed_is_not_resealed_again,
                a_used_idempotency_key_changes_no_master_key,
            }
            nodes {
                every_process_that_lives_is_listed_with_what_it_counted,
                steps_that_are_too_old_to_be_shown_are_forgotten,
                who_listens_at_one_process_hears_of_changes_at_another,
            }
            maintenance {
                what_is_older_than_the_horizon_goes_and_the_rest_stays,
                what_was_swept_stays_away_after_a_crash,
                a_record_for_what_was_swept_is_lost,
                a_retry_of_an_event_that_was_swept_stands_in_nobodys_way,
                much_that_is_old_goes_in_slices_that_let_others_through,
                a_sweep_of_nothing_is_done,
                a_sweep_leaves_answers_that_are_still_kept,
                a_deleted_endpoint_is_known_as_long_as_the_log_speaks_of_it,
                the_queues_length_counts_what_is_not_finished,
                what_waits_is_counted_by_endpoint,
                a_store_knows_what_it_takes_up,
                a_store_that_is_ready_says_so,
                a_closed_store_is_unavailable,
                what_was_answered_while_closing_is_stored,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($backend:expr; $($noun:ident { $($case:ident,)* })*) => {
        $(mod $noun {
            #[allow(unused_imports)]
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                let mut stage = $crate::conformance::Stage::open(&$backend).await;
                $crate::conformance::$noun::$case(&mut stage).await;
            })*
        })*
    };
}

/// The call failed, and with this [`StoreError`](crate::StoreError).
macro_rules! assert_fails {
    ($result:expr, $fault:pat) => {{
        use $crate::StoreError::*;
        match $result {
            Err($fault) => {}
            other => panic!("expected {}, got {other:?}", stringify!($fault)),
        }
    }};
}
use assert_fails;
