//! In the style of the chat servers of tokio's examples, in threads: each client gets every line that is published while it is there. A client that reads
//! too slowly loses lines, is told how many, and stops no other: so its queue is bounded, and the publisher never waits.

mod on_crossbeam;
mod on_ringmail;
mod on_tokio;

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::{iter, vec};

/// A server for as many clients, and these clients: each has read that it is welcome, so it gets all that is published from now on.
fn with_clients<P>(
    clients: usize,
    serve: impl FnOnce(Box<dyn Iterator<Item = TcpStream> + Send>) -> P,
) -> (P, Vec<BufReader<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sockets = iter::from_fn(move || listener.accept().ok().map(|(socket, _)| socket));
    let publisher = serve(Box::new(sockets.take(clients)));
    let clients = (0..clients).map(|_| {
        let mut client = BufReader::new(TcpStream::connect(address).unwrap());
        assert_eq!(line_of(&mut client), "* welcome");
        client
    });
    let clients = clients.collect();
    (publisher, clients)
}

/// The next line that a client reads; empty at the end.
fn line_of(client: &mut impl BufRead) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// What three clients read of a thousand lines, published in hundreds.
fn read_by_three<P>((mut publisher, mut clients): (P, Vec<BufReader<TcpStream>>), publish: impl Fn(&mut P, &str)) {
    let lines: Vec<String> = (0..1000).map(|n| format!("line {n}, {}", "long ".repeat(n % 40))).collect();
    for hundred in lines.chunks(100) {
        hundred.iter().for_each(|line| publish(&mut publisher, line));
        for client in &mut clients {
            hundred.iter().for_each(|line| assert_eq!(line_of(client), line.trim_end()));
        }
    }
    drop(publisher);
    clients.iter_mut().for_each(|client| assert_eq!(line_of(client), "", "the end"));
}

#[test]
fn all_servers_give_each_client_every_line_and_then_the_end() {
    let ours = with_clients(3, |sockets| on_ringmail::serve(sockets, 128).unwrap());
    read_by_three(ours, |publisher, line| publisher.publish(line).unwrap());
    let crossbeam = with_clients(3, |sockets| on_crossbeam::serve(sockets, 128));
    read_by_three(crossbeam, on_crossbeam::Publisher::publish);
    let tokio = with_clients(3, |sockets| on_tokio::serve(sockets, 128));
    read_by_three(tokio, on_tokio::Publisher::publish);
}

/// The socket of a client that reads when it is told to: until then, a write waits.
struct Unread(mpsc::SyncSender<Vec<u8>>);

impl Write for Unread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Publishes a thousand lines to a client that reads and one that does not. The first must get all; then the second reads, and what it reads and what it lost
/// must be all.
fn slow_beside_fast<P>(serve: impl FnOnce(vec::IntoIter<Box<dyn Write + Send>>) -> P, publish: impl Fn(&mut P, &str)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut fast = BufReader::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (socket, slow) = mpsc::sync_channel(0);
    let sockets: Vec<Box<dyn Write + Send>> = vec![Box::new(listener.accept().unwrap().0), Box::new(Unread(socket))];
    let mut publisher = serve(sockets.into_iter());
    assert_eq!(line_of(&mut fast), "* welcome");
    assert_eq!(slow.recv().unwrap(), b"* welcome\n");

    let long = "x".repeat(200);
    for hundred in 0..10 {
        let numbers = || (0..100).map(|n| hundred * 100 + n);
        numbers().for_each(|n| publish(&mut publisher, &format!("{n} {long}")));
        for n in numbers() {
            assert_eq!(line_of(&mut fast).split(' ').next(), Some(&*n.to_string()));
        }
    }
    drop(publisher);
    let (mut next, mut read, mut lost) = (0, 0, 0);
    for line in slow.into_iter().flatten().collect::<Vec<u8>>().lines().map(Result::unwrap) {
        match *line.split(' ').collect::<Vec<_>>() {
            ["*", "lost", count, "lines"] => lost += count.parse::<u64>().unwrap(),
            [number, _] => {
                let number = number.parse::<u64>().unwrap();
                assert!(number >= next, "{number} after {next}");
                (next, read) = (number + 1, read + 1);
            }
            _ => panic!("not a line: {line}"),
        }
    }
    assert_eq!(read + lost, 1000);
    assert!(read > 32 && lost > 500, "{read} read, {lost} lost");
}

#[test]
fn a_client_that_does_not_read_stops_no_other_and_is_told_what_it_lost() {
    slow_beside_fast(
        |sockets| on_ringmail::serve(sockets, 128).unwrap(),
        |publisher, line| publisher.publish(line).unwrap(),
    );
    slow_beside_fast(|sockets| on_crossbeam::serve(sockets, 128), on_crossbeam::Publisher::publish);
    slow_beside_fast(|sockets| on_tokio::serve(sockets, 128), on_tokio::Publisher::publish);
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let (mut publisher, mut clients) = with_clients(1, |sockets| on_ringmail::serve(sockets, 2).unwrap());
    assert_eq!(publisher.publish(&"x".repeat(248)).unwrap_err().kind(), ErrorKind::InvalidInput);
    publisher.publish(&"x".repeat(247)).unwrap();
    assert_eq!(line_of(&mut clients[0]), "x".repeat(247));
}
