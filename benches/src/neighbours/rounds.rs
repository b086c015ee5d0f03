//! The schedule: in each round every crew in random order, beside it every row, in it every contender in random order.

use std::path::Path;
use std::time::{Duration, Instant};

use super::child::Order;
use super::crew::{Crew, Neighbours};
use super::data::{Failure, Figure, RunFile, Slice};
use super::others::Ticks;
use super::rows::Row;
use crate::paired::pool::Entrant;
use crate::paired::stats::Rng;

/// How a run is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rows: Vec<(&'static Row, Vec<Entrant>)>,
    pub(super) neighbours: Vec<Neighbours>,
    pub(super) cores: Vec<usize>,
    pub(super) rounds: u32,
    pub(super) seed: u64,
    /// Of each slice, if not the row's.
    pub(super) length: Option<Duration>,
    /// Of each slice, if not a quarter of its length.
    pub(super) warm_up: Option<Duration>,
    /// No round begins that would probably end after so long.
    pub(super) budget: Option<Duration>,
    /// What a slice may take beyond its length before it counts as hung.
    pub(super) patience: Duration,
}

/// After so many failures in a row beside one crew a contender is left out there.
const TOLERANCE: usize = 2;

impl Plan {
    /// The warm-up of a row's slice, and its length.
    fn spans(&self, row: &Row) -> (Duration, Duration) {
        let length = self.length.unwrap_or(row.length);
        (self.warm_up.unwrap_or(length / 4), length)
    }

    /// About what a round takes.
    pub(super) fn round_length(&self) -> Duration {
        let of_row = |(row, entrants): &(&Row, Vec<Entrant>)| {
            let (warm_up, length) = self.spans(row);
            (warm_up + length) * entrants.len() as u32
        };
        self.rows.iter().map(of_row).sum::<Duration>() * self.neighbours.len() as u32
    }

    /// Runs all of it; `this` is the program that computes beside it.
    ///
    /// # Errors
    /// A crew could not be started. A contender that fails is recorded, and the others go on.
    pub(super) fn run(&self, this: &Path, file: &mut RunFile) -> Result<(), String> {
        let start = Instant::now();
        let mut rng = Rng::new(self.seed);
        let mut crews = self.neighbours.clone();
        for round in 0..self.rounds {
            let spent = start.elapsed();
            if round > 0 && self.budget.is_some_and(|budget| spent + spent / round > budget) {
                eprintln!("{round} of {} rounds: another would not end within the time budget", self.rounds);
                break;
            }
            rng.shuffle(&mut crews);
            for &neighbours in &crews {
                let crew = Crew::start(this, neighbours, &self.cores)?;
                for (row, entrants) in &self.rows {
                    let mut order: Vec<&Entrant> = entrants.iter().collect();
                    rng.shuffle(&mut order);
                    for entrant in order {
                        self.slice(round, (neighbours, &crew), row, entrant, file);
                    }
                }
            }
        }
        Ok(())
    }

    fn slice(
        &self,
        round: u32,
        (neighbours, crew): (Neighbours, &Crew),
        row: &'static Row,
        entrant: &Entrant,
        file: &mut RunFile,
    ) {
        let beside = neighbours.to_string();
        let same = |f: &&Failure| f.row == row.name && f.contender == entrant.label && f.neighbours == beside;
        if file.failures.iter().filter(same).count() >= TOLERANCE {
            return;
        }
        let (warm_up, length) = self.spans(row);
        let order = Order {
            program: &entrant.program,
            row,
            contender: &entrant.contender,
            warm_up,
            length,
            neighbours,
            cores: &self.cores,
            patience: (warm_up + length) * 2 + self.patience,
        };
        let (name, contender) = (row.name.to_owned(), entrant.label.clone());
        let before = Ticks::now(&self.cores, crew.id());
        match order.run() {
            Ok(reply) => {
                let others = Ticks::now(&self.cores, crew.id()).share_of_others(before);
                let named = row.columns.iter().zip(reply.values);
                let figures = named.map(|(column, value)| Figure { name: column.name.into(), value }).collect();
                let samples = reply.samples;
                file.slices.push(Slice { neighbours: beside, row: name, contender, round, samples, others, figures });
            }
            Err(what) => {
                eprintln!("{name} / {contender} beside {beside}: {what}");
                file.failures.push(Failure { neighbours: beside, row: name, contender, round, what });
            }
        }
    }
}
