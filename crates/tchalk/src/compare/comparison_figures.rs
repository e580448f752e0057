//! A comparison as tables and images.

use super::comparison::{Comparison, Images};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use crate::runtime::seed::{rng, shuffle};
use crate::table::Table;
use crate::text::thousands;
use ndarray::{ArcArray, Axis, Ix3};

impl Comparison {
    /// How often the networks agree and, with labels, which of them is right: counts for two networks,
    /// accuracies and fractions for more.
    pub fn table(&self) -> Table {
        let table = if self.names.len() == 2 { self.pair_table() } else { self.matrix_table() };
        self.notes.iter().fold(table, |table, note| table.footer(note.to_string()))
    }

    fn pair_table(&self) -> Table {
        let [first, second] = [&self.names[0], &self.names[1]];
        let row = |what: String, count: usize| [what, thousands(count), self.percent(count)];
        let table = Table::new(["", "images", "of all"]);
        let differing = row("different answers".into(), self.differing().len());
        let Ok(counts) = self.mcnemar(0, 1) else {
            return table.rows([differing]).align_right(1).align_right(2);
        };
        table
            .rows([
                row(format!("{first} right"), counts.both_correct + counts.only_first),
                row(format!("{second} right"), counts.both_correct + counts.only_second),
                row("both right".into(), counts.both_correct),
                row(format!("only {first} right"), counts.only_first),
                row(format!("only {second} right"), counts.only_second),
                row("both wrong".into(), counts.neither_correct()),
                differing,
            ])
            .align_right(1)
            .align_right(2)
            .footer(format!(
                "McNemar's exact test: equally good networks differ at least this much with a \
                 probability of {}",
                match counts.p_value() {
                    p if p < 0.001 => "less than 0.001".to_owned(),
                    p => format!("{p:.3}"),
                }
            ))
    }

    fn matrix_table(&self) -> Table {
        let (disagreement, accuracies) = (self.disagreement(), self.accuracies());
        let accuracy = accuracies.as_ref().map(|_| "accuracy".to_owned());
        let others = self.names.iter().map(|name| format!("differs from {name}"));
        let headings: Vec<String> =
            std::iter::once(String::new()).chain(accuracy).chain(others).collect();
        let percent = |fraction: f64| format!("{:.2} %", 100.0 * fraction);
        let rows = self.names.iter().enumerate().map(|(a, name)| {
            let accuracy = accuracies.as_ref().map(|all| percent(all[a]));
            let others = (0..self.names.len()).map(|b| match a == b {
                true => "–".to_owned(),
                false => percent(disagreement[[a, b]]),
            });
            std::iter::once(name.clone()).chain(accuracy).chain(others).collect()
        });
        let table = (1..headings.len())
            .fold(Table::of_columns(headings, rows.collect()), Table::align_right);
        self.agreement().into_iter().fold(table, Table::footer)
    }

    /// Sentences below the table: on how many images all agree, how many somebody gets right, and what
    /// the ensemble gains.
    fn agreement(&self) -> Vec<String> {
        let n = self.len();
        let agreed = n - self.differing().len();
        let all = thousands(n);
        let agreed = format!(
            "all agree on {} of {all} images ({})",
            thousands(agreed),
            self.percent(agreed)
        );
        let Some(correct) = self.correct() else { return vec![agreed] };
        let any = (0..n).filter(|&i| correct.iter().any(|one| one[i])).count();
        let same_error = |&i: &usize| self.distinct(i) == 1 && !correct[0][i];
        let same_errors = (0..n).filter(same_error).count();
        let any = format!(
            "at least one is right on {}; all give the same wrong answer on {}",
            self.percent(any),
            self.percent(same_errors)
        );
        let gain = self.gain().ok().zip(self.best_member()).map(|(gain, best)| {
            let best = &self.names[best];
            format!("gain over {best}, the best member on these same images: {gain:?}")
        });
        [agreed, any].into_iter().chain(gain).collect()
    }

    fn percent(&self, count: usize) -> String {
        format!("{:.2} %", 100.0 * count as f64 / self.len() as f64)
    }

    /// The answers of all networks for the first `rows` of the images on which they differ, in the order
    /// of the set.
    pub fn answer_table(&self, rows: usize) -> Table {
        let (heading, first) = self.numbering;
        let headings = std::iter::once(heading.to_owned()).chain(self.names.iter().cloned());
        let mut images = self.differing();
        images.sort_unstable();
        let row = |&image: &usize| {
            let answers = self.answers_for(image).into_iter();
            let answers = answers.map(|class| self.class_names[class].clone());
            std::iter::once((image + first).to_string()).chain(answers).collect()
        };
        let rows = images.iter().take(rows).map(row).collect();
        let table = Table::of_columns(headings.collect(), rows);
        (0..=self.names.len()).fold(table, Table::align_right)
    }

    /// Images on which the networks differ, those with the most different answers first, else in random
    /// order: the label, if it is known, and the answers in the order of the networks. Another call
    /// shows others.
    ///
    /// # Errors
    ///
    /// If the networks never differ, there are no rows or columns, or there are no images.
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        const OP: &str = "Comparison::image_grid";
        let mut shown = self.differing();
        if shown.is_empty() {
            let got = "the same answers for all images";
            return Err(Error::invalid(OP, "networks that differ", got, ""));
        }
        let count = thousands(shown.len());
        shuffle(&mut shown, &mut rng("comparison"));
        shown.sort_by_cached_key(|&i| std::cmp::Reverse(self.distinct(i)));
        shown.truncate(rows * columns);
        let captions: Vec<Caption> = shown.iter().map(|&i| self.caption(i)).collect();
        let figure = image_grid(&self.images_at(OP, &shown)?, &captions, columns)?;
        let (all, names) = (thousands(self.len()), self.names.join(" / "));
        Ok(figure.title(format!("{count} of {all} images with different answers: {names}")))
    }

    /// `cat:\n✔ cat / ✘ dog`, or `cat / dog` without labels.
    fn caption(&self, image: usize) -> Caption {
        let label = self.labels.as_ref().map(|labels| labels[image]);
        let answers = self.answers_for(image).into_iter().map(|class| {
            let name = &self.class_names[class];
            match label {
                Some(label) if label == class => format!("✔\u{a0}{name}"),
                Some(_) => format!("✘\u{a0}{name}"),
                None => name.clone(),
            }
        });
        let answers = answers.collect::<Vec<_>>().join(" / ");
        Caption::new(match label {
            Some(label) => format!("{}:\n{answers}", self.class_names[label]),
            None => answers,
        })
    }

    fn images_at(&self, op: &str, shown: &[usize]) -> Result<Vec<ArcArray<u8, Ix3>>> {
        match &self.images {
            Images::Predicted(predictions) => predictions.images(shown),
            Images::Split(split) => {
                let images = split.images();
                Ok(shown.iter().map(|&i| images.index_axis(Axis(0), i).to_shared()).collect())
            }
            Images::Unknown => {
                let hint = "Try comparison.images(&digits.test)?.";
                Err(Error::invalid(op, "images", "answers from files alone", hint))
            }
        }
    }
}

impl std::fmt::Debug for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

/// The table, and images on which the networks differ; their answers where there are no images.
impl Show for Comparison {
    fn content(&self) -> Content {
        let table = self.table().content();
        let shown = match self.image_grid(2, 10) {
            Ok(figure) => figure.content(),
            Err(_) => self.answer_table(10).content(),
        };
        let html = [&table, &shown].map(|content| content.as_html().unwrap_or_default()).concat();
        Content::html(table.plain(), html)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::{LABELS, three};
    use crate::evaluate::testing::certain_predictions;
    use crate::plot::assert_tidy;

    #[test]
    fn two_networks_have_a_table_of_counts() {
        let a = certain_predictions(&LABELS, &[0, 0, 1, 1, 1, 1], 3);
        let b = certain_predictions(&LABELS, &[0, 1, 0, 2, 1, 0], 3);
        let comparison = a.compare(&b).unwrap().names(&["network a"]);
        let text = format!("{comparison:?}");
        assert!(text.contains("only network a right"), "{text}");
        assert!(text.contains("only the second right"), "{text}");
        assert_tidy(&comparison.image_grid(2, 2).unwrap());
        assert!(a.compare(&a).unwrap().image_grid(1, 1).is_err());
    }

    #[test]
    fn an_ensemble_has_a_table_of_accuracies_and_disagreement() {
        let comparison = three().of_ensemble(vec!["a note".into()]);
        let text = format!("{comparison:?}");
        assert!(text.contains("all agree on 2 of 6 images (33.33 %)"), "{text}");
        assert!(text.contains("at least one is right on 100.00 %"), "{text}");
        assert!(text.contains("gain over a") && text.ends_with("a note"), "{text}");
        assert_tidy(&comparison.image_grid(1, 4).unwrap());
    }

    #[test]
    fn images_may_come_later() {
        let names = ["a", "b"].map(String::from).to_vec();
        let digits = (0..10).map(|digit| digit.to_string()).collect();
        let answers = vec![vec![4; 40], vec![9; 40]];
        let comparison = Comparison::of_answers(names, answers, digits, Images::Unknown);
        let comparison = comparison.numbered("ImageId", 1);
        assert!(format!("{:?}", comparison.answer_table(3)).ends_with("      3  4  9"));
        assert!(comparison.image_grid(2, 5).is_err(), "the images are unknown");
        let test = crate::datasets::strokes().unwrap().test.take(40);
        assert!(comparison.clone().images(&test.take(39)).is_err());
        let figure = comparison.images(&test).unwrap().image_grid(2, 5).unwrap();
        assert_tidy(&figure);
        assert!(figure.description().contains("4 / 9"), "{}", figure.description());
    }
}
