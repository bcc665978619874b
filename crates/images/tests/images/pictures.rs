//! PNG and JPEG files.

use super::*;

#[test]
fn png_of_every_kind_is_what_its_writer_put_in() {
    for name in ["rgb.png", "grey.png", "palette.png", "bits.png", "opaque.png"] {
        holds(&Images::read(&golden(name)).unwrap(), &expected(name));
    }
}

/// Decoders may round the inverse transform and the colours differently: by two levels on smooth pictures, not more.
#[test]
fn jpeg_is_within_two_levels_of_another_decoder() {
    for name in ["rgb.jpg", "grey.jpg"] {
        let (images, expected) = (Images::read(&golden(name)).unwrap(), expected(name));
        assert_eq!(images.shape(), expected.shape);
        let worst = images.pixels().iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 2, "{name}: {worst} levels");
    }
}

#[test]
fn pictures_that_would_have_to_be_changed_are_refused() {
    for (name, part) in [("transparent.png", "transparent"), ("deep.png", "16 bits"), ("cmyk.jpg", "CMYK")] {
        refused(Images::read(&golden(name)), &golden(name), &[part]);
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["rgb.png", "rgb.jpg"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        let path = write(&folder.path().join(name), &bytes[..bytes.len() / 2]);
        refused(Images::read(&path), &path, &["damaged"]);
    }
    let path = write(&folder.path().join("text.png"), b"not a picture");
    refused(Images::read(&path), &path, &["6e, 6f"]);
    let path = write(&folder.path().join("empty.jpg"), b"");
    refused(Images::read(&path), &path, &["no bytes"]);
    // A header that asks for more than any picture has.
    let mut huge = std::fs::read(golden("rgb.png")).unwrap();
    huge[16..20].copy_from_slice(&[0, 1, 0, 0]);
    let path = write(&folder.path().join("huge.png"), &huge);
    refused(Images::read(&path), &path, &[]);
}
