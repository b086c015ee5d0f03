use ringmail::affinity::Topology;

use super::*;
use crate::measure::channel::Message;
use crate::measure::subject::SendingEnd;
use crate::options::Wait as Waiting;

fn step(rate_per_s: f64, arrival: Arrival) -> Step {
    let warm_up = Duration::from_millis(5);
    Step { rate_per_s, arrival, pacing: Pacing::Open, warm_up, time: Duration::from_millis(50), seed: 3 }
}

/// On two cores; `None` if there is only one.
fn job(kind: Kind, senders: usize) -> Option<Job> {
    let &[a, b] = Topology::detect().unwrap().allowed().first_chunk()?;
    Some(Job {
        kind,
        payload: LEAST_PAYLOAD,
        setup: Setup { capacity: 64, wait: Waiting::Yield, senders },
        senders: vec![a; senders],
        receiver: b,
        clock: Clock::choose(None),
        stop: Arc::default(),
    })
}

#[test]
fn every_subject_carries_every_arrival() {
    for kind in subject::OWN.into_iter().chain(subject::PEERS).filter(|kind| kind.is_built()) {
        for arrival in [Arrival::Constant, Arrival::Poisson, Arrival::Bursts(8)] {
            let Some(job) = job(kind, 1) else { return };
            let step = step(20_000.0, arrival);
            let outcome = job.run(&step).unwrap();
            let report = outcome.report(&step, 1, 1.0).unwrap();
            // On a busy machine the sender may not run for the whole of the step; then the step says so.
            assert!((700..=1300).contains(&report.planned), "{report:?}");
            assert!(report.sent <= report.planned && report.sent <= report.response.samples, "{report:?}");
            assert_eq!(report.response.samples, report.service.samples);
            assert!(report.response.p50_ns >= report.service.p50_ns, "{report:?}");
            assert!(!report.over_time.is_empty());
        }
    }
}

#[test]
fn several_senders_share_the_rate() {
    for kind in [Kind::Mpsc, Kind::FanIn, Kind::Mesh] {
        let Some(job) = job(kind, 3) else { return };
        assert!(job.shares_cores());
        let outcome = job.run(&step(20_000.0, Arrival::Constant)).unwrap();
        assert!((990..=1010).contains(&outcome.sent.planned), "{:?}", outcome.sent);
    }
}

#[test]
fn every_payload_has_a_loop_but_the_one_too_small_for_two_times() {
    for payload in PAYLOADS {
        let Some(job) = job(Kind::Spsc, 1) else { return };
        let job = Job { payload, ..job };
        assert!(job.run(&step(20_000.0, Arrival::Constant)).is_ok(), "{payload}");
    }
    let Some(job) = job(Kind::Spsc, 1) else { return };
    assert!(Job { payload: 8, ..job }.run(&step(20_000.0, Arrival::Constant)).is_err());
}

#[test]
fn a_core_that_is_not_there_fails_the_step() {
    for (senders, receiver) in [(vec![100_000], None), (vec![], Some(100_000))] {
        let Some(mut job) = job(Kind::Spsc, 1) else { return };
        if !senders.is_empty() {
            job.senders = senders;
        }
        job.receiver = receiver.unwrap_or(job.receiver);
        let reason = job.run(&step(20_000.0, Arrival::Constant)).err().unwrap();
        assert!(reason.contains("100000"), "{reason}");
    }
}

#[test]
fn a_stop_ends_the_step_early_and_only_what_was_due_is_planned() {
    let Some(job) = job(Kind::Spsc, 1) else { return };
    job.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let step = Step { time: Duration::from_secs(60), ..step(20_000.0, Arrival::Constant) };
    let began = Instant::now();
    let outcome = job.run(&step).unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!((outcome.sent.planned, outcome.report(&step, 1, 1.0).is_none()), (0, true));
}

/// A sending end that takes long now and then, and keeps what it was given.
struct Slow {
    sent: Vec<[u64; 2]>,
    pause: Duration,
}

impl SendingEnd<2> for Slow {
    fn send(&mut self, message: Message<2>, _deadline: Instant) -> Result<(), StopReason> {
        self.sent.push(message);
        if self.sent.len().is_multiple_of(100) {
            std::thread::sleep(self.pause);
        }
        Ok(())
    }
}

fn sent_through_slow(step: &Step, pause: Duration) -> (Vec<[u64; 2]>, Sent, Times) {
    let mut end = Slow { sent: vec![], pause };
    let clock = Clock::choose(None);
    let times = Times::new(step, &clock);
    let way = sender::Way { clock, stop: Arc::default(), yields: true };
    let [warm_up, schedule] = [times.start_ns, times.from_ns].map(|ns| Schedule::of_one(step, ns, 0, 1));
    let sender = sender::Loop { end: &mut end, step, times: &times, way: &way, sent: Sent::default() };
    let sent = sender.run(warm_up, schedule).unwrap();
    assert_eq!(end.sent.pop(), Some([sender::END; 2]));
    (end.sent, sent, times)
}

#[test]
fn intended_times_do_not_move_when_the_sender_is_late() {
    // Of every 5 ms of messages, 3 ms are lost.
    for arrival in [Arrival::Constant, Arrival::Poisson, Arrival::Bursts(10)] {
        let step = step(20_000.0, arrival);
        let (messages, sent, times) = sent_through_slow(&step, Duration::from_millis(3));
        let mut schedule = Schedule::of_one(&step, times.from_ns, 0, 1);
        let counted: Vec<_> = messages.iter().filter(|[due, _]| *due >= times.from_ns).collect();
        assert!(counted.iter().all(|[due, _]| *due == schedule.next()) && counted.len() > 500);
        assert!(messages.iter().all(|[due, sent]| sent >= due), "none is sent before it is due");
        let late = messages.iter().filter(|[due, sent]| sent - due > 1_000_000).count();
        assert!(late > messages.len() / 10, "{late} of {}", messages.len());
        assert_eq!(sent.all, messages.len() as u64);
    }
}

#[test]
fn a_warm_up_that_is_behind_leaves_nothing_overdue() {
    // The warm-up has a hundred times more messages than can be sent.
    let step = step(1e9, Arrival::Constant);
    let in_time = |_| {
        let (messages, sent, times) = sent_through_slow(&step, Duration::from_millis(1));
        let first = messages.iter().find(|[due, _]| *due >= times.from_ns).unwrap();
        assert_eq!(first[0], times.from_ns);
        assert!((49_999_000..=50_001_000).contains(&sent.planned) && sent.in_time < sent.planned / 2, "{sent:?}");
        assert!(!sent.is_reached());
        sent.in_time
    };
    // A busy machine may stop this for the whole of a step.
    assert!((0..20).map(in_time).any(|in_time| in_time > 0));
}

#[test]
fn a_closed_loop_hides_that_it_was_late() {
    let step = Step { pacing: Pacing::Closed, ..step(20_000.0, Arrival::Constant) };
    let (messages, ..) = sent_through_slow(&step, Duration::from_millis(3));
    assert!(messages.iter().all(|[start, sent]| start == sent));
}

#[test]
fn a_rate_that_is_not_reached_is_told_with_what_was_planned() {
    // Each hundred messages take 20 ms, and are due within 5.
    let step = step(20_000.0, Arrival::Constant);
    let (_, sent, _) = sent_through_slow(&step, Duration::from_millis(20));
    assert!((999..=1001).contains(&sent.planned), "{sent:?}");
    assert!(sent.in_time < 600 && !sent.is_reached(), "{sent:?}");
    let almost = Sent { all: 0, planned: 1000, in_time: 990, window_s: 1.0 };
    assert!(almost.is_reached() && !Sent { in_time: 989, ..almost }.is_reached());
}
