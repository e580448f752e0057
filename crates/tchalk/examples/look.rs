#![allow(missing_docs)]
use tchalk::plot::*;
use tchalk::prelude::*;
fn main() -> tchalk::Result<()> {
    let t = std::time::Instant::now();
    let shapes = datasets::shapes()?;
    println!("drawn in {:?}", t.elapsed());
    let out = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let write = |name: &str, f: &Figure| {
        std::fs::write(out.join(format!("{name}-light.png")), f.to_png(&Theme::light(), 1.0).unwrap()).unwrap();
        std::fs::write(out.join(format!("{name}-dark.png")), f.to_png(&Theme::dark(), 1.0).unwrap()).unwrap();
        println!("{name}: svg {} bytes", f.to_svg(&Theme::light()).len());
    };
    write("grid", &shapes.train.image_grid(8, 12)?);
    write("hist", &shapes.train.histograms()?);
    let line = |name: &str, k: f64| Line::new(name, (1..=25).map(|e| (e as f64, 2.3 * (-k * e as f64).exp() + 0.3)).collect());
    let p = |t: &str| LinePanel::new(t).x_label("epoch").integer_x().line(line("train", 0.2)).line(line("validation", 0.15).dashed());
    write("lines", &Figure::grid(vec![p("loss").into(), p("accuracy").into()], 2)?);
    println!("{:?}", shapes.describe());
    println!("{:?}", runtime::report());
    Ok(())
}
