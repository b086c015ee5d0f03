//! Channels without a name: within a process, to a child, over a Unix socket, and descriptors that lead to something else.

use crate::support::another::the_test;
use ringmail::shm::{Anonymous, Cause, OpenError, Peer, RecvError, Role, TryRecvError, bytes, spsc};
use ringmail::{BuildError, shm};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(10);

fn sender(channel: &Anonymous) -> Result<spsc::Sender<u64>, OpenError> {
    spsc::Builder::from_fd(channel).open_sender()
}

fn receiver(channel: &Anonymous) -> Result<spsc::Receiver<u64>, OpenError> {
    spsc::Builder::from_fd(channel).open_receiver()
}

/// Runs `the_other_process` of this program in `part`, with `stdin` as its standard input.
fn child(part: &str, stdin: OwnedFd) -> Child {
    let mut child = Command::new("/proc/self/exe");
    child.args(the_test(module_path!(), "the_other_process")).env("SHM_ANONYMOUS", part);
    child.stdin(Stdio::from(stdin)).stdout(Stdio::null()).spawn().expect("a child")
}

/// No test of its own: what [`child`] runs.
#[test]
fn the_other_process() {
    let Ok(part) = std::env::var("SHM_ANONYMOUS") else { return };
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    match &*part {
        "doubles" => {
            let requests = Anonymous::from(stdin);
            let mut rx = receiver(&requests).unwrap();
            // By its number, as any descriptor that a child inherits.
            let replies = File::options().read(true).write(true).open("/proc/self/fd/2").unwrap();
            let mut tx = sender(&Anonymous::from(OwnedFd::from(replies))).unwrap();
            while let Ok(n) = rx.recv() {
                tx.send(2 * n).unwrap();
            }
        }
        "dies" => {
            let mut tx = sender(&stdin.into()).unwrap();
            tx.send(1).unwrap();
            // No destructor runs.
            std::process::exit(42);
        }
        "socket" => {
            let channel = receive_fd(&UnixStream::from(stdin));
            let mut tx = bytes::Builder::from_fd(channel).open_sender().unwrap();
            for n in 0..1000_u32 {
                tx.send(&n.to_le_bytes()).unwrap();
            }
        }
        other => panic!("no part {other}"),
    }
}

fn send_fd(socket: &UnixStream, channel: &Anonymous) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [channel.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    assert_eq!(sendmsg(socket, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()), Ok(1));
}

fn receive_fd(socket: &UnixStream) -> OwnedFd {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut received = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.next().expect("a descriptor")
}

#[test]
fn a_channel_without_a_name_is_a_channel() {
    let channel = spsc::Builder::<u64>::create_anonymous(3).unwrap();
    let (mut tx, mut rx) = (sender(&channel).unwrap(), receiver(&channel).unwrap());
    assert_eq!((tx.capacity(), rx.capacity()), (3, 3));
    tx.send_slice(&[1, 2, 3]).unwrap();
    assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(1), Ok(2), Ok(3)));

    // A role has one holder, whichever descriptor it is opened by: the lock is of no descriptor that is passed on.
    let other = Anonymous::from(channel.as_fd().try_clone_to_owned().unwrap());
    assert!(matches!(sender(&other), Err(OpenError::Taken { role: Role::Sender, .. })));
    assert!(matches!(receiver(&other), Err(OpenError::Taken { role: Role::Receiver, .. })));
    drop(channel);
    drop(tx);
    assert_eq!(rx.peer(), Peer::Left, "its own descriptions are closed, and nobody else's");
    let mut tx = sender(&other).unwrap();
    drop(other);
    tx.send(4).unwrap();
    drop(tx);
    let ended = Err(RecvError::Disconnected(Cause::Closed));
    assert_eq!([rx.recv(), rx.recv(), rx.recv()], [ended, Ok(4), ended], "each sender's end at its place");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_channel_of_records_without_a_name_keeps_its_schema() {
    let schema = shm::Schema::new("json").version(3, 2);
    let channel = bytes::Builder::create_anonymous(1 << 12, schema).unwrap();
    let refused = bytes::Builder::from_fd(&channel).open_sender().unwrap_err();
    assert!(matches!(refused, OpenError::Schema { .. }), "{refused}");
    let refused = sender(&channel).unwrap_err();
    assert!(matches!(refused, OpenError::Mismatch(_)), "{refused}");
    let mut tx = bytes::Builder::from_fd(&channel).schema(schema).open_sender().unwrap();
    let mut rx = bytes::Builder::from_fd(&channel).schema(schema).open_receiver().unwrap();
    tx.send(b"{}").unwrap();
    let mut body = Vec::new();
    assert_eq!((rx.recv_into(&mut body).unwrap().version, &*body), (3, &b"{}"[..]));
    assert!(!bytes::Builder::from_fd(&channel).remove().unwrap(), "there is nothing to remove");
}

#[test]
fn a_child_has_what_it_is_given() {
    let (requests, replies) =
        (spsc::Builder::<u64>::create_anonymous(8).unwrap(), spsc::Builder::<u64>::create_anonymous(8).unwrap());
    let mut command = Command::new("/proc/self/exe");
    command.args(the_test(module_path!(), "the_other_process")).env("SHM_ANONYMOUS", "doubles");
    let given = |channel: &Anonymous| Stdio::from(channel.as_fd().try_clone_to_owned().unwrap());
    let mut child =
        command.stdin(given(&requests)).stderr(given(&replies)).stdout(Stdio::null()).spawn().expect("a child");
    let (mut tx, mut rx) = (sender(&requests).unwrap(), receiver(&replies).unwrap());
    for n in 0..1000 {
        tx.send_timeout(n, WAIT).unwrap();
        assert_eq!(rx.recv_timeout(WAIT), Ok(2 * n));
    }
    drop(tx);
    assert_eq!(rx.recv_timeout(WAIT), Err(RecvError::Disconnected(Cause::Closed)));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_childs_death_is_noticed_though_its_parent_has_the_fd() {
    let channel = spsc::Builder::<u64>::create_anonymous(8).unwrap();
    let mut rx = receiver(&channel).unwrap();
    let mut child = child("dies", channel.as_fd().try_clone_to_owned().unwrap());
    assert_eq!(rx.recv_timeout(WAIT), Ok(1));
    assert_eq!(rx.recv_timeout(WAIT), Err(RecvError::Disconnected(Cause::PeerDied)));
    assert_eq!(child.wait().unwrap().code(), Some(42));
    let mut tx = sender(&channel).unwrap();
    tx.send(2).unwrap();
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "told once");
}

#[test]
fn a_descriptor_goes_over_a_socket() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut child = child("socket", theirs.into());
    let channel = bytes::Builder::create_anonymous(256, None).unwrap();
    send_fd(&ours, &channel);
    let mut rx = bytes::Builder::from_fd(&channel).open_receiver().unwrap();
    drop(channel);
    let mut body = Vec::new();
    for n in 0..1000_u32 {
        let info = rx.recv_timeout_into(&mut body, WAIT).unwrap();
        assert_eq!((info.sequence, &*body), (n.into(), &n.to_le_bytes()[..]));
    }
    assert_eq!(rx.recv_timeout_into(&mut body, WAIT), Err(RecvError::Disconnected(Cause::Closed)));
    assert!(child.wait().unwrap().success());
}

#[test]
fn no_process_can_shorten_or_lengthen_its_memory() {
    let channel = spsc::Builder::<u64>::create_anonymous(8).unwrap();
    let len = rustix::fs::fstat(&channel).unwrap().st_size as u64;
    for size in [0, len - 4096, len + 4096] {
        assert_eq!(ftruncate(&channel, size), Err(rustix::io::Errno::PERM));
    }
    assert_eq!(fcntl_add_seals(&channel, SealFlags::FUTURE_WRITE), Err(rustix::io::Errno::PERM));
    assert_eq!(rustix::fs::fstat(&channel).unwrap().st_size as u64, len);
}

#[test]
fn what_can_be_cut_short_is_refused() {
    let refused = |file: OwnedFd| {
        let channel = Anonymous::from(file);
        let refused = sender(&channel).unwrap_err();
        assert!(matches!(refused, OpenError::NotSealed), "{refused}");
        assert!(refused.to_string().contains("create_anonymous"));
    };
    // A whole and valid segment, but for the seals.
    let good = spsc::Builder::<u64>::create_anonymous(8).unwrap();
    let bytes = std::fs::read(format!("/proc/self/fd/{}", good.as_fd().as_raw_fd())).unwrap();
    let copy = || {
        let file = File::from(memfd_create("copy", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap());
        file.write_all_at(&bytes, 0).unwrap();
        file
    };
    refused(copy().into());
    let grows = copy();
    fcntl_add_seals(&grows, SealFlags::GROW).unwrap();
    refused(grows.into());
    // A file with a name, of a file system with seals and of one without; what is no file at all.
    let path = format!("/dev/shm/ringmail-test-unsealed-{}", std::process::id());
    let named = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    refused(named.into());
    refused(File::open("/proc/self/exe").unwrap().into());
    refused(UnixStream::pair().unwrap().0.into());
    refused(File::open("/dev/null").unwrap().into());
    // With the one seal that matters it is as good as ours.
    let sealed = copy();
    fcntl_add_seals(&sealed, SealFlags::SHRINK).unwrap();
    assert!(sender(&OwnedFd::from(sealed).into()).is_ok());
}

#[test]
fn sealed_memory_that_is_no_channel_is_a_typed_error() {
    let memory = |len: u64| {
        let fd = memfd_create("other", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, len).unwrap();
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW).unwrap();
        Anonymous::from(fd)
    };
    for len in [0, 100, 1 << 16] {
        let refused = sender(&memory(len)).unwrap_err();
        assert!(matches!(refused, OpenError::NotASegment { .. }), "{refused}");
    }
}

/// Whoever opens a segment with holes makes room for it first: not for more than there is.
#[test]
fn memory_that_only_claims_to_be_there_is_refused() {
    let small = spsc::Builder::<Large>::create_anonymous(1).unwrap();
    let mut header = [0; 256];
    let file = File::from(small.as_fd().try_clone_to_owned().unwrap());
    file.read_exact_at(&mut header, 0).unwrap();
    let slots = 1_u64 << 30;
    header[32..40].copy_from_slice(&slots.to_le_bytes());
    // Bit by bit, as the check sum is defined.
    let step = |crc: u32, _| if crc & 1 != 0 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    let sum = !header[..252].iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step));
    header[252..].copy_from_slice(&sum.to_le_bytes());
    let claims = memfd_create("claims", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&claims, 3 * 4096 + (slots << 14)).unwrap();
    let claims = File::from(claims);
    claims.write_all_at(&header, 0).unwrap();
    fcntl_add_seals(&claims, SealFlags::SHRINK).unwrap();
    let refused = spsc::Builder::<Large>::from_fd(OwnedFd::from(claims)).open_receiver();
    assert!(matches!(refused, Err(OpenError::NoSpace { bytes }) if bytes > 1 << 43), "{refused:?}");
}

#[test]
fn impossible_capacities_are_errors() {
    type Builder = spsc::Builder<u64>;
    assert!(matches!(Builder::create_anonymous(0), Err(OpenError::Build(BuildError::ZeroCapacity))));
    assert!(matches!(Builder::create_anonymous(usize::MAX), Err(OpenError::Build(_))));
    assert!(matches!(bytes::Builder::create_anonymous(0, None), Err(OpenError::Build(BuildError::ZeroCapacity))));
    // 16 TiB, more than the memory of any machine that runs this: refused before any of it is taken.
    let refused = spsc::Builder::<Large>::create_anonymous(1 << 30);
    assert!(matches!(refused, Err(OpenError::NoSpace { bytes }) if bytes > 1 << 44), "{refused:?}");
}

#[derive(zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::Immutable)]
#[repr(transparent)]
struct Large([u8; 1 << 14]);

impl shm::Message for Large {
    const SCHEMA: shm::Schema = shm::Schema::new("large");
}
