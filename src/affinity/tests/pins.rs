//! Pins on this machine. Each on a thread of its own: the test runner's threads stay as they are.

use std::boxed::Box;
use std::string::ToString;
use std::sync::mpsc;
use std::thread;

use super::super::{AffinityError, Topology, pin, pin_current, spawn_pinned};

/// Core numbers that no machine this runs on has: the last and the first one in and out of Linux's mask, and huge ones.
const ABSENT: [usize; 4] = [1023, 1024, usize::MAX / 2, usize::MAX];

#[test]
fn a_core_that_is_not_there_is_refused_and_the_thread_left_as_it_was() {
    let worker = thread::spawn(|| {
        let before = Topology::detect().expect("the system tells the mask").allowed();
        for core in ABSENT {
            let error = pin_current(core).expect_err("no such core");
            let text = error.to_string();
            let AffinityError::PinRefused { core: told, allowed, reason } = error else { panic!("{text}") };
            assert_eq!((told, &allowed), (core, &before));
            assert!(!reason.is_empty());
            assert!(text.contains("this thread may use "), "{text}");
        }
        assert_eq!(Topology::detect().expect("as before").allowed(), before);
    });
    worker.join().expect("no assertion fails");
}

#[test]
fn a_failed_pin_reaches_the_caller_and_the_function_never_runs() {
    for core in ABSENT {
        let (held, watch) = mpsc::channel::<()>();
        let result = spawn_pinned(core, move || held.send(()));
        assert!(matches!(result, Err(AffinityError::PinRefused { .. })));
        assert_eq!(watch.recv(), Err(mpsc::RecvError), "dropped, and nothing was sent");
    }
}

#[test]
fn a_pin_that_fails_only_on_the_thread_itself_is_told_likewise() {
    let refuse = |core| Err(AffinityError::PinRefused { core, reason: "gone".into(), allowed: [0].into() });
    let (held, watch) = mpsc::channel::<()>();
    let result = pin::spawn_with(7, refuse, move || held.send(()));
    assert_eq!(result.map(|_| ()), refuse(7));
    assert_eq!(watch.try_recv(), Err(mpsc::TryRecvError::Disconnected), "dropped before the caller is told");
}

// Under `panic = "abort"` no thread can die alone.
#[cfg(panic = "unwind")]
#[test]
fn a_thread_that_dies_while_pinning_does_not_leave_the_caller_waiting() {
    let result = pin::spawn_with(7, |_| std::panic::resume_unwind(Box::new(())), || ());
    assert!(matches!(result, Err(AffinityError::Spawn { .. })));
}

/// What only Linux lets a program check.
#[cfg(target_os = "linux")]
mod linux {
    use std::format;
    use std::string::ToString;
    use std::thread;

    use super::super::super::{AffinityError, Topology, current_core, pin, pin_current, spawn_pinned};

    #[test]
    fn a_pinned_thread_stays_on_its_core() {
        for core in Topology::detect().expect("Linux tells the mask").allowed() {
            let worker = spawn_pinned(core, move || {
                assert_eq!(thread::current().name(), Some(format!("core-{core}").as_str()));
                for _ in 0..50 {
                    thread::yield_now();
                    assert_eq!(current_core(), Some(core));
                }
                Topology::detect().expect("Linux tells the mask").allowed()
            });
            assert_eq!(worker.expect("allowed").join().expect("no assertion fails"), [core]);
        }
    }

    #[test]
    fn a_pinned_thread_can_be_pinned_elsewhere() {
        let worker = thread::spawn(|| {
            let cores = Topology::detect()?.allowed();
            for &core in cores.iter().chain(cores.iter().rev()) {
                pin_current(core)?;
                assert_eq!(current_core(), Some(core));
            }
            Ok::<_, AffinityError>(())
        });
        assert_eq!(worker.join().expect("no assertion fails"), Ok(()));
    }

    #[test]
    fn a_refusal_carries_the_error_of_the_system() {
        let error = thread::spawn(|| pin_current(1023)).join().expect("no panic").expect_err("no such core");
        let text = error.to_string();
        assert!(text.contains("os error 22") && text.contains("cpuset"), "{text}");
    }

    #[test]
    fn a_pin_that_did_not_hold_is_told_with_what_was_seen() {
        assert_eq!(pin::check(3, [3].into(), 3, [0, 3].into()), Ok(()));
        let widened = pin::check(3, [0, 3].into(), 3, [0, 3].into()).expect_err("the mask is wider");
        assert!(matches!(&widened, AffinityError::PinNotHeld { core: 3, mask, .. } if mask == &[0, 3]));
        let elsewhere = pin::check(3, [3].into(), 0, [0, 3].into()).expect_err("it runs elsewhere").to_string();
        assert!(elsewhere.contains("mask is 3 and it runs on core 0; choose from 0,3"), "{elsewhere}");
    }
}
