//! The store of the simulation keeps the rules of the real ones: the suite's cases about the queue.

use std::sync::Arc;

use async_trait::async_trait;
use domain::time::Timestamp;
use store::Store;
use store::conformance::{Backend, Instance};

use crate::support::FakeStore;

struct Memory;

struct Process(Arc<FakeStore>);

#[async_trait]
impl Backend for Memory {
    async fn fresh(&self, _: Timestamp) -> Box<dyn Instance> {
        Box::new(Process(Arc::default()))
    }
}

#[async_trait]
impl Instance for Process {
    /// Nothing is sealed in memory.
    fn opens_with(&mut self, _: store::vault::Vault) {}

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }
    async fn crash_and_reopen(&mut self, now: Timestamp) {
        self.0.change(|state| state.adopt(now));
    }
    async fn close_and_reopen(&mut self, now: Timestamp) {
        self.0.change(|state| state.adopt(now));
    }
    async fn second(&self, _: Timestamp) -> Option<Arc<dyn Store>> {
        None
    }
}

store::conformance_cases! { Memory;
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
        a_release_of_what_is_not_held_changes_nothing,
        a_release_that_comes_again_frees_nothing_that_is_held_anew,
        due_endpoints_come_in_pages_by_their_ids,
        a_retry_is_claimed_with_its_origin,
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
}
