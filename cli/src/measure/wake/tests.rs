use std::sync::atomic::Ordering;
use std::time::Instant;

use ringmail::affinity::Topology;

use super::*;

/// `None` if there is only one core.
fn job(contenders: Vec<(Subject, Way)>, idle: Duration) -> Option<Job> {
    let cores = *Topology::detect().unwrap().allowed().first_chunk()?;
    Some(Job {
        cores,
        contenders,
        steps: vec![Step { idle, time: Duration::from_millis(30) }],
        clock: Clock::choose(None),
        quantum_ns: 1.0,
        stop: Arc::default(),
        placement: Placement::default(),
    })
}

const SUBJECTS: [Subject; 5] = [Subject::Spsc, Subject::Mpsc, Subject::FanIn, Subject::Mesh, Subject::Shm];
const WAYS: [Way; 6] = [Way::Spin, Way::Yield, Way::Park, Way::ParkAtOnce, Way::Fd, Way::Async];

#[test]
fn every_subject_is_woken_in_every_way_it_knows() {
    let all = SUBJECTS.iter().flat_map(|&subject| WAYS.map(|way| (subject, way)));
    let known: Vec<_> = all.filter(|&(subject, way)| subject.knows(way)).collect();
    assert!(known.len() >= 24, "{known:?}");
    let Some(job) = job(known.clone(), Duration::from_micros(300)) else { return };
    let outcome = run(&job).unwrap();
    let names: Vec<_> = outcome.rows.iter().map(|row| (row.subject.as_str(), row.wait.as_str())).collect();
    let mut wanted = vec![("futex", "futex")];
    wanted.extend(known.iter().map(|(subject, way)| (subject.name(), way.name())));
    assert_eq!(names, wanted);
    let futex = &outcome.rows[0];
    for row in &outcome.rows {
        assert!(row.figures.samples >= u64::from(FEWEST_ROUNDS), "{row:?}");
        assert!((0.0..=1.0).contains(&row.slept_share), "{row:?}");
        assert_eq!(row.ratio.is_none(), row.subject == "futex", "{row:?}");
    }
    // Each message over the futex is beside one over a channel.
    let channels: u64 = outcome.rows[1..].iter().map(|row| row.figures.samples).sum();
    assert_eq!(futex.figures.samples, channels);
}

/// Measures until each row was once as it should be: on a busy machine a single short run shows little.
fn see_in_every_row(mut job: Job, wanted: &str, holds: impl Fn(&WakeRow) -> bool) {
    const MOST: u32 = 20;
    let shortest = job.steps[0].time;
    let mut seen: Vec<bool> = Vec::new();
    for times in 1..=MOST {
        job.steps[0].time = shortest * times;
        let rows = run(&job).unwrap().rows;
        seen.resize(rows.len(), false);
        for (seen, row) in seen.iter_mut().zip(&rows) {
            *seen |= holds(row);
        }
        if seen.iter().all(|&seen| seen) {
            return;
        }
        assert!(times < MOST, "never {wanted}: {:?}", rows.iter().zip(&seen).find(|&(_, seen)| !seen));
    }
}

#[test]
fn receivers_that_sleep_are_seen_to_sleep() {
    let ways = [Way::Park, Way::ParkAtOnce, Way::Fd, Way::Async];
    let contenders = ways.map(|way| (Subject::Spsc, way)).to_vec();
    let Some(job) = job(contenders, Duration::from_millis(2)) else { return };
    see_in_every_row(job, "asleep in more than half", |row| row.slept_share > 0.5);
}

#[test]
fn receivers_that_spin_are_seen_awake() {
    let spinning: Vec<_> =
        SUBJECTS.into_iter().map(|subject| (subject, Way::Spin)).filter(|&(subject, way)| subject.knows(way)).collect();
    assert!(spinning.len() >= 4, "{spinning:?}");
    let Some(job) = job(spinning, Duration::from_micros(300)) else { return };
    see_in_every_row(job, "awake in more than half", |row| row.wait == "futex" || row.slept_share < 0.5);
}

#[test]
fn a_stop_ends_the_longest_gap_at_once() {
    let Some(mut job) = job(vec![(Subject::Spsc, Way::Park)], Duration::from_secs(100)) else { return };
    job.steps[0].time = Duration::from_secs(1000);
    let stop = Arc::clone(&job.stop);
    let began = Instant::now();
    let running = std::thread::spawn(move || run(&job).map(|outcome| outcome.rows.len()));
    std::thread::sleep(Duration::from_millis(100));
    stop.store(true, Ordering::Relaxed);
    assert_eq!(running.join().unwrap(), Ok(0));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_core_that_does_not_exist_is_named() {
    let Some(mut job) = job(vec![(Subject::Spsc, Way::Park)], Duration::from_micros(10)) else { return };
    job.cores[0] = 100_000;
    assert!(run(&job).unwrap_err().contains("100000"));
    job.cores = [0, 100_000];
    assert!(run(&job).unwrap_err().contains("100000"));
}

#[test]
fn messages_hold_number_and_next_subject() {
    for (number, next) in [(1, 0), (77, 3), (u64::from(NUMBERS) + 5, QUIT)] {
        assert_eq!(unpack(pack(number, next)), (number as u32 & NUMBERS, next));
    }
    assert_ne!(pack(u64::from(NUMBERS), QUIT), u32::MAX, "what the futex holds when the sender is gone");
}

#[test]
fn slices_are_short() {
    let messages = [1, 10, 100, 1000, 100_000].map(|us| messages_per_slice(Duration::from_micros(us)));
    assert_eq!(messages, [64, 64, 9, 1, 1]);
}
