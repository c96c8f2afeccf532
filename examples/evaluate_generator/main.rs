//! DiffFAS, sections 3.3 and 4.4: identity and style of generated attacks, over guidance scale and start
//! step (figures 6 and 7), on people the generator never saw.
//!
//! ```text
//! cargo run --release --example evaluate_generator -- --generator generator.safetensors \
//!     --faces FOLDER --identity-weights mobilefacenet.safetensors --out runs/generator
//! ```
//!
//! Two figures must be good at once: **identity**, the cosine of MobileFaceNet embeddings of live and
//! generated face, beside what the simulator's own attack on the same person keeps; and **style**, the
//! share of generated images that an independent classifier, trained on simulated attacks alone,
//! assigns to the requested style. Writes a page with curves over start step, guidance scales and
//! temperature, style by style, and beside it `generator.csv` and `generator.png`.

mod arguments;
mod column;
mod page;
mod setting;

use std::time::Instant;

use clap::Parser;
use fas_diffusion::Generator;
use fas_examples::{
    EditSettings, FaceFolder, FaceSplit, Instruments, JudgeSettings, cost, domains_by_name, edited,
    edits, load_recogniser, style_labels, train_judge,
};
use fas_quality::Brisque;
use image::RgbImage;

use arguments::{Arguments, SIZE};
use column::{Column, styles_that_meet_the_aims};
use page::Results;
use setting::Setting;

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (generator, card) = Generator::load(&arguments.generator, &device).map_err(|e| text(&e))?;
    let generator = match &arguments.weaker {
        Some(path) => {
            let (weaker, _) = Generator::load(path, &device).map_err(|e| text(&e))?;
            generator.with_weaker(weaker).map_err(|e| text(&e))?
        }
        None => generator,
    };
    let domains = card
        .get("training_domains")
        .ok_or("the generator's card names no training_domains")?;
    let domains = domains_by_name(domains.split(','))?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let mut test = folder.load(FaceSplit::Test, Some(&arguments.subset), None)?;
    if arguments.skip_people > 0 && arguments.skip_people + arguments.people > test.len() {
        return Err(format!(
            "--skip-people {} --people {}: {} has {} people",
            arguments.skip_people,
            arguments.people,
            arguments.subset,
            test.len()
        ));
    }
    test.rotate_left(arguments.skip_people);
    let train = folder.load(FaceSplit::Train, None, Some(2500))?;
    let recogniser = load_recogniser(&arguments.identity_weights, &device)?;

    let judge = JudgeSettings {
        steps: arguments.judge_steps,
        size: SIZE,
        seed: arguments.seed,
    };
    let judge = train_judge(&train, &domains, judge, &device)?;
    let captures = EditSettings {
        people: arguments.people,
        size: SIZE,
        seed: arguments.seed,
    };
    let edits = edits(&test, &domains, captures)?;
    let instruments = Instruments {
        judge,
        recogniser,
        brisque: Brisque::new(),
        device: &device,
    };
    let styles = style_labels(&domains);

    let simulated: Vec<RgbImage> = edits.iter().map(|e| e.simulated.clone()).collect();
    let measured = instruments.measure(&edits, &simulated, &test)?;
    let simulator = Column::new(None, styles.len(), &edits, &measured);
    let different_people = instruments.different_people(&edits, &test)?;
    println!("{}", simulator.summary());
    println!("different people: cosine {different_people:.3}");

    let (mut columns, mut pictures) = (Vec::new(), Vec::new());
    for setting in Setting::all(&arguments) {
        let sampler = setting.sampler(&arguments);
        let images = edited(&generator, &edits, &sampler, arguments.seed)?;
        let measured = instruments.measure(&edits, &images, &test)?;
        let column = Column::new(Some(setting), styles.len(), &edits, &measured);
        let met = styles_that_meet_the_aims(&column, &simulator);
        println!("{}  {met} of {} styles", column.summary(), styles.len());
        columns.push(column);
        pictures.push(images);
    }
    let page = Results {
        arguments: &arguments,
        styles: &styles,
        edits: &edits,
        simulator: &simulator,
        columns: &columns,
        pictures: &pictures,
        different_people,
        run_time: started.elapsed(),
    }
    .write()?;
    println!("report: {}\n{}", page.display(), cost(started));
    Ok(())
}
