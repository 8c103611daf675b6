"""Samples by position, for samplers."""

import pytest
from torch.utils.data import DataLoader, SubsetRandomSampler

import atdata


def test_a_position_gives_its_sample(digits):
    by_position = digits.to_torch(style="map")
    assert len(by_position) == 300
    for index in (0, 150, -1):
        assert by_position[index].pixels.tolist() == digits[index].pixels.tolist()


def test_a_position_beyond_the_samples_is_refused(digits):
    with pytest.raises(atdata.SampleIndexError):
        digits.to_torch(style="map")[300]


def test_a_loader_with_a_sampler_gives_each_sample_of_a_subset_once(digits):
    sampler = SubsetRandomSampler(range(0, 300, 3))
    loader = DataLoader(digits.to_torch(style="map"), batch_size=16, sampler=sampler)
    found = [number for batch in loader for number in batch["confidence"].tolist()]
    assert sorted(found) == sorted(sample.confidence for sample in digits[::3])


def test_a_batch_is_read_at_once_and_through_maps(digits):
    doubled = digits.map(lambda sample: 2 * sample.digit).to_torch(style="map")
    assert doubled.__getitems__([5, 3]) == [2 * digits[5].digit, 2 * digits[3].digit]


def test_filtered_samples_have_no_positions(digits):
    with pytest.raises(ValueError, match=r"where\(\) selects before"):
        digits.filter(bool).to_torch(style="map")


@pytest.mark.parametrize(
    "option", [{"batch_size": 2}, {"shuffle": True}, {"rank": 0, "world_size": 1}, {"collate": list}]
)
def test_other_options_are_the_loaders(digits, option):
    with pytest.raises(ValueError, match='style="map" takes no other option'):
        digits.to_torch(style="map", **option)
