//! Grids of images.

use super::*;
use ebmotion_images::image::grid::{self, Layout};

#[test]
fn a_grid_read_back_shows_every_image_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [1, 3] {
        let size = channels * 4;
        let pixels: Vec<u8> = (0..3 * size).map(|i| i as u8 * 5).collect();
        let images = Images::new("set", [channels, 2, 2], pixels, None).unwrap();
        let path = folder.path().join(format!("inner/{channels}.png"));
        grid::write(&path, &images, Layout { columns: 2, margin: 1, scale: 2 }).unwrap();
        let drawn = Images::read(&path).unwrap();
        // Two columns and two rows of 4 pixels with 1 between and around them.
        assert_eq!(drawn.shape(), [channels, 11, 11]);
        let at = |c: usize, y: usize, x: usize| drawn.row(0)[(c * 11 + y) * 11 + x];
        for c in 0..channels {
            for (image, top, left) in [(0, 1, 1), (1, 1, 6), (2, 6, 1)] {
                for (y, x) in [(0, 0), (1, 3), (3, 2), (3, 3)] {
                    let expected = images.row(image)[c * 4 + y / 2 * 2 + x / 2];
                    assert_eq!(at(c, top + y, left + x), expected, "image {image}, channel {c}, {y}, {x}");
                }
            }
            // The margins and the place without an image.
            assert!([at(c, 0, 0), at(c, 5, 5), at(c, 7, 7), at(c, 10, 10)].iter().all(|v| *v == at(c, 0, 0)));
        }
    }
}

#[test]
fn layouts_out_of_range_are_refused() {
    let grey = Images::new("set", [1, 2, 2], vec![0; 8], None).unwrap();
    let two = Images::new("set", [2, 2, 2], vec![0; 8], None).unwrap();
    let layout = Layout { columns: 2, margin: 1, scale: 1 };
    assert_eq!(grid::encode(&two, layout).expect_err("two channels").exit_code(), 2);
    for wrong in [Layout { columns: 0, ..layout }, Layout { scale: 0, ..layout }, Layout { scale: 1 << 40, ..layout }] {
        assert_eq!(grid::encode(&grey, wrong).expect_err("out of range").exit_code(), 2);
    }
    // More columns than images leave no empty place.
    assert_eq!(grid::encode(&grey, Layout { columns: 9, ..layout }).unwrap(), grid::encode(&grey, layout).unwrap());
}
